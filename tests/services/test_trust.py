"""What the worker, which has root, does not take from the database."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.errors import BadSerial
from devices.firmware.errors import CorruptFirmware
from devices.models import Device
from devices.qemu.process_identity import ProcessIdentity
from devices.services import firmware, guests, reaping, tending
from devices.states import State
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture(autouse=True)
def var(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path / "var"
    guests.guests_folder().mkdir(parents=True)
    return settings.VAR_DIR  # type: ignore[no-any-return]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    "serial", ["../secrets", "", ".", "..", "a/../../secrets"]
)
def test_a_serial_that_is_a_path_leads_nowhere(var: Path, serial: str) -> None:
    kept = [var / "secrets" / "secret_key", guests.guests_folder() / "fd-000001" / "process"]
    for file in kept:
        file.parent.mkdir(parents=True)
        file.touch()
    host = a_host("here")
    a_device(host, serial="fd-000001")
    device = a_device(host, serial=serial, state=State.STOPPING)
    reaping.reap("here")
    assert [file.exists() for file in kept] == [True, True]
    device.refresh_from_db()
    assert device.state == State.GONE
    for path in (device.serial, "/etc"):
        with pytest.raises(BadSerial):
            guests.folder(path)


def test_a_bad_serial_does_not_keep_others_from_being_tended(var: Path) -> None:
    host = a_host("here")
    for serial in ("../etc", "fd-000001"):
        a_device(host, serial=serial, state=State.BOOTING)
    tending.adopt("here")
    assert set(Device.objects.values_list("state", flat=True)) == {"failed"}


def test_a_process_that_only_a_row_names_is_left_alone(
    bystander: subprocess.Popen[bytes],
) -> None:
    identity = ProcessIdentity.of(bystander.pid)
    device = a_device(
        a_host("here"), state=State.STOPPING, boot_id=identity.boot_id, pid=identity.pid,
        start_time=identity.start_time,
    )
    reaping.reap("here")
    device.refresh_from_db()
    assert (device.state, bystander.poll()) == ("gone", None)


def test_a_process_that_the_folder_names_is_ended(bystander: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(bystander.pid)
    device = a_device(a_host("here"), state=State.STOPPING)
    folder = guests.folder(device.serial)
    folder.mkdir()
    (folder / "process").write_text(f"{identity.boot_id} {identity.pid} {identity.start_time}\n")
    reaping.reap("here")
    device.refresh_from_db()
    assert (device.state, bystander.poll()) == ("gone", -signal.SIGKILL)
    assert not folder.exists()


@pytest.mark.parametrize("sha256", ["../../elsewhere", "", "A" * 64, "0" * 63])
def test_a_firmware_that_is_a_path_is_refused(sha256: str) -> None:
    with pytest.raises(CorruptFirmware, match="is not the SHA-256"):
        firmware.folder_of("arm64", sha256)
