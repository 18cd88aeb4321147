from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from devices.models import Device
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from devices.services import bus, guests, last_words, reaping, retention
from devices.states import State
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def test_all_of_a_host_is_gone_whatever_it_was_doing() -> None:
    host, other = a_host("here"), a_host("there")
    for state in State:
        a_device(host, state=state)
    elsewhere = a_device(other)
    assert reaping.all_gone("here") == len(State) - 1
    assert set(Device.objects.on("here").values_list("state", flat=True)) == {"gone"}
    elsewhere.refresh_from_db()
    assert elsewhere.state == State.ONLINE


def test_a_stopping_device_without_a_process_is_gone() -> None:
    device = a_device(a_host("here"), state=State.STOPPING)
    reaping.reap("here")
    device.refresh_from_db()
    assert (device.state, device.slot) == ("gone", None)


DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def test_guests_are_ended_at_once_some_at_a_time(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(reaping, "AT_ONCE", 2)
    host = a_host("here")
    devices = [a_device(host, state=State.STOPPING) for _ in range(3)]
    processes = []
    for device in devices:
        process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        identity = ProcessIdentity.of(process.pid)
        folder = GuestFolder(guests.folder(device.serial))
        folder.create()
        folder.process.write_text(f"{identity.boot_id} {identity.pid} {identity.start_time}\n")
    try:
        began = time.monotonic()
        reaping.reap("here")
        assert time.monotonic() - began < 9.0
        assert [process.wait(timeout=0) for process in processes] == [-signal.SIGKILL] * 3
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert set(Device.objects.values_list("state", flat=True)) == {"gone"}
    assert list(guests.guests_folder().iterdir()) == []


def left_of(device: Device) -> tuple[int, int]:
    """How many bytes are kept of a device's console, and for how many hours, begun ones too."""
    kept = bus.client().ttl(bus.console_channel(device.serial))
    return len(bus.console(device.serial)), -(-kept // 3600)


def test_the_end_of_a_removed_devices_console_is_kept_for_an_hour() -> None:
    host = a_host("here")
    removed, there = a_device(host, state=State.STOPPING), a_device(host)
    said = b"x" * bus.CONSOLE_BYTES
    bus.append_console({removed.serial: said + b"the end", there.serial: said})
    reaping.reap("here")
    assert left_of(removed) == (last_words.KEPT_BYTES, 1)
    assert bus.console(removed.serial).endswith(b"the end")
    assert left_of(there) == (bus.CONSOLE_BYTES, 24)
    # what was read before its end is written a moment after it
    bus.append_console({removed.serial: b"late"})
    retention.tidy()
    assert left_of(removed) == (last_words.KEPT_BYTES, 1)
    assert left_of(there) == (bus.CONSOLE_BYTES, 24)
    bus.client().expire(bus.console_channel(removed.serial), 60)
    retention.tidy()
    assert bus.client().ttl(bus.console_channel(removed.serial)) <= 60
