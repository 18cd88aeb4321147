"""A device's whole life through the running system, and what is left after it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devices.qemu.guest_folder import NO_DEVICES, GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from tests.fleet import Fleet

pytestmark = pytest.mark.guest

BOOT_S = 150


def wait_until(what: Callable[[], Any], deadline_s: float, pause_s: float = 0.2) -> Any:
    """The first true answer of `what`; fails when there is none in time."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        if answer := what():
            return answer
        time.sleep(pause_s)
    pytest.fail(f"nothing came of {what} in {deadline_s} s")


def online(fleet: Fleet) -> int:
    """How many devices are online."""
    return int(fleet.api("GET", "summary")["online"])


def operate(fleet: Fleet, kind: str, count: int, **wish: str) -> dict[str, Any]:
    """Ask for an operation and wait for its end."""
    operation = fleet.api("POST", "operations", {"kind": kind, "count": count, **wish})
    wait_until(
        lambda: fleet.api("GET", f"operations/{operation['id']}")["state"] != "running", BOOT_S
    )
    ended: dict[str, Any] = fleet.api("GET", f"operations/{operation['id']}")
    return ended


def processes(fleet: Fleet) -> dict[str, ProcessIdentity]:
    """The devices' guests that are running, by serial; a template in the making is none."""
    found = {}
    for folder in (fleet.var / "guests").glob("fd-*"):
        identity = GuestFolder(folder).read_process()
        if identity is not None and identity.is_alive():
            found[folder.name] = identity
    return found


@pytest.fixture(autouse=True)
def emptied(fleet: Fleet) -> Any:
    """Each test starts without devices and leaves none."""
    yield
    if fleet.api("GET", "summary")["total"]:
        operate(fleet, "remove", 10_000)


@pytest.mark.parametrize("start", ["cold", "warm"])
def test_added_devices_report_in_and_removed_ones_leave_nothing(
    fleet: Fleet, start: str
) -> None:
    wait_until(fleet.template_is_ready, 90)
    added = operate(fleet, "add", 2, start=start)
    assert (added["state"], added["done"]) == ("succeeded", 2)
    devices = fleet.api("GET", "devices?state=online")["devices"]
    assert len(devices) == 2
    running = processes(fleet)
    assert sorted(running) == sorted(d["serial"] for d in devices)
    for device in devices:
        shown = fleet.api("GET", f"devices/{device['serial']}")
        # only the guest itself knows which slot its boot-loader took
        assert (shown["reported_slot"], shown["reported_start"]) == ("a", start)
        assert shown["command_line"][0].endswith("qemu-system-aarch64")
        secret_like = [word for word in shown["command_line"] if "secret" in word]
        assert not secret_like
    removed = operate(fleet, "remove", 2)
    assert removed["state"] == "succeeded"
    assert not processes(fleet)
    assert not [identity for identity in running.values() if identity.is_alive()]
    assert {each.name for each in (fleet.var / "guests").iterdir()} <= NO_DEVICES
    counts = fleet.api("GET", "summary")["counts"]
    assert sum(n for state, n in counts.items() if state not in ("gone", "failed")) == 0


def test_a_guest_that_dies_is_noticed_at_once_and_says_why(fleet: Fleet) -> None:
    operate(fleet, "add", 1)
    ((serial, identity),) = processes(fleet).items()
    began = time.monotonic()
    identity.signal(signal.SIGKILL)
    wait_until(lambda: fleet.api("GET", f"devices/{serial}")["state"] == "failed", 30, 0.05)
    assert time.monotonic() - began < 20
    assert "ended on its own" in fleet.api("GET", f"devices/{serial}")["reason"]
    wait_until(lambda: not (fleet.var / "guests" / serial).exists(), 30)


def test_every_process_may_be_killed_no_device_is_lost_and_a_stray_guest_is_ended(
    fleet: Fleet,
) -> None:
    operate(fleet, "add", 3)
    before = processes(fleet)
    lost, forgotten = before.popitem()
    guests = fleet.var / "guests"
    # as if the database had forgotten it
    Path(guests / lost).rename(guests / "fd-stray")
    starting = fleet.api("POST", "operations", {"kind": "add", "count": 2})
    for name in list(fleet.processes()):
        # as it is now: one of those before it may have taken it along
        wait_until(partial(_killed, fleet, name), 20)
    wait_until(lambda: _answers(fleet), 60)
    wait_until(
        lambda: fleet.api("GET", f"operations/{starting['id']}")["state"] != "running", BOOT_S
    )
    wait_until(lambda: not forgotten.is_alive(), 60)
    wait_until(lambda: not (guests / "fd-stray").exists(), 30)
    # off when it ended before somebody waited for it: then nobody can tell how
    wait_until(lambda: fleet.api("GET", f"devices/{lost}")["state"] in ("failed", "off"), 60)
    wait_until(lambda: online(fleet) == 4, 60)
    after = processes(fleet)
    assert len(after) == 4
    assert {s: i for s, i in after.items() if s in before} == before
    rows = {d["serial"] for d in fleet.api("GET", "devices?state=online")["devices"]}
    assert rows == set(after)


def _killed(fleet: Fleet, name: str) -> bool:
    """Whether it was killed, and there is another now."""
    record = fleet.processes().get(name)
    if record is None:
        return False
    try:
        os.kill(record.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    wait_until(partial(_replaced, fleet, name, record.pid), 20)
    return True


def _replaced(fleet: Fleet, name: str, former: int) -> bool:
    now = fleet.processes().get(name)
    return now is not None and now.pid != former


def _answers(fleet: Fleet) -> bool:
    try:
        fleet.api("GET", "summary")
    except Exception:
        return False
    return True
