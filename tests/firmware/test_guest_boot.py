"""A device from power-on to its socket, and the A/B rule, with the real boot-loader."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devices.firmware.artifact import FirmwareImage
from tests.api.served import free_port
from tests.firmware.running_guest import SECRET, RunningGuest, running
from tests.firmware.stub_gateway import Seen, gateway

pytestmark = pytest.mark.guest
UPGRADE = {"nerves_fw_active": "b", "upgrade_available": "1", "bootcount": "0"}


@dataclass(frozen=True)
class Joined:
    """A guest that was refused twice, reported, and joined the gateway `at` that moment."""

    guest: RunningGuest
    seen: Seen
    report: tuple[str, dict[str, str], dict[str, Any]]
    handshake: dict[str, str]
    join: list[Any]
    at: float


@pytest.fixture(scope="module")
def joined(firmware: FirmwareImage) -> Iterator[Joined]:
    port = free_port()
    with gateway(port, statuses=[401, 503]) as seen, running(firmware, port=port) as guest:
        *_, report = (seen.reports.get(timeout=90) for _ in range(3))
        handshake = seen.handshakes.get(timeout=90)
        join = seen.message("phx_join", topic="device")
        yield Joined(guest, seen, report, handshake, join, time.monotonic())


def test_it_reports_and_joins_and_has_a_shell(joined: Joined, firmware: FirmwareImage) -> None:
    guest, seen = joined.guest, joined.seen
    path, headers, body = joined.report
    assert path == "/api/status/525400000001"
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert body["version"] == firmware.version
    assert body["uuid"] == firmware.uuid
    assert body["slot"] == "a"
    assert body["start"] == "cold"
    assert 0.5 < body["uptime_s"] < 30
    guest.wait_for("fleetdash: refused 401")
    guest.wait_for("fleetdash: online")

    assert joined.handshake["path"] == "/device-socket/websocket?vsn=2.0.0"
    assert joined.handshake["x-nh-key"] == "525400000001"
    assert joined.handshake["x-nh-signature"].startswith("SFMyNTY.")
    assert joined.join[4]["nerves_fw_uuid"] == firmware.uuid
    assert joined.join[4]["meta"]["firmware_validated"] is True
    report = seen.message("health:report")[4]["value"]
    assert report["metrics"]["mem_size_mb"] <= 135
    assert 0 < report["metrics"]["mem_used_percent"] < 80

    seen.send([None, None, "device", "identify", {}])
    guest.wait_for("fleetdash: identify")
    guest.wait_for("fleetdash: press Enter for a shell")
    guest.type(b"\r")
    guest.wait_for("built-in shell")
    guest.type(b"echo reads-$((6*7)); cat\r")
    guest.wait_for("reads-42")
    guest.type(b"again\r")
    guest.wait_for("again\r\nagain")
    guest.type(b"\x03")
    guest.wait_for(":~# ", times=2)
    guest.type(b"echo said-$?-$(stty size)\r")
    guest.wait_for("said-130-24 80")
    guest.type(b"exit\r")


@pytest.mark.late
def test_its_link_lasts_comes_back_and_lets_it_be_rebooted(joined: Joined) -> None:
    guest, seen = joined.guest, joined.seen
    # Past the handshake's deadline the link still stands, and speaks when asked.
    time.sleep(max(0.0, 17.0 - (time.monotonic() - joined.at)))
    while not seen.messages.empty():
        seen.messages.get()
    seen.send([None, None, "extensions", "health:check", {}])
    seen.message("health:report")
    # The gateway goes away for a moment: the device returns by itself, without a new report.
    seen.sockets[-1].shutdown(2)
    seen.message("phx_join", topic="device")
    assert seen.reports.empty()

    seen.send([None, None, "device", "reboot", {}])
    assert seen.message("rebooting")[2] == "device"
    guest.wait_for("U-Boot 20", times=2)
    assert seen.reports.get(timeout=90)[2]["start"] == "cold"
    assert SECRET not in guest.console
    assert not re.search("CRASH|ERROR REPORT|Oops|panic", guest.console)


def test_an_upgrade_that_never_validates_is_left_behind(firmware: FirmwareImage) -> None:
    port = free_port()
    with (
        gateway(port) as seen,
        running(firmware, port=port, changes=UPGRADE | {"kept": "yes"}, both_slots=True) as guest,
    ):
        assert seen.reports.get(timeout=90)[2]["slot"] == "b"
        join = seen.message("phx_join", topic="device")
        assert join[4]["meta"]["firmware_validated"] is False
        seen.send([None, None, "device", "reboot", {}])
        assert seen.reports.get(timeout=90)[2]["slot"] == "a"
        guest.wait_for("fleetdash: slot b never validated, going back")
        assert (
            seen.message("phx_join", topic="device")[4]["meta"]["firmware_auto_revert_detected"]
            is True
        )
        guest.end()
        left = guest.environment()
    assert (left["nerves_fw_active"], left["upgrade_available"], left["bootcount"]) == (
        "a",
        "0",
        "0",
    )
    assert left["kept"] == "yes"
    assert left["a.nerves_fw_uuid"] == firmware.uuid
    assert not any(name.startswith("fd_") or name == "bootcmd" for name in left), left


def test_a_torn_environment_boots_the_slot_that_verifies(firmware: FirmwareImage) -> None:
    port = free_port()
    with (
        gateway(port) as seen,
        running(firmware, port=port, torn=True, both_slots=True, break_slot="a") as guest,
    ):
        assert seen.reports.get(timeout=40)[2]["slot"] == "b"
        assert "fleetdash: the environment is damaged" in guest.console


def test_an_empty_active_slot_gives_way_to_the_other(firmware: FirmwareImage) -> None:
    port = free_port()
    with (
        gateway(port) as seen,
        running(firmware, port=port, changes={"nerves_fw_active": "b"}) as guest,
    ):
        assert seen.reports.get(timeout=40)[2]["slot"] == "a"
        assert "fleetdash: slot b cannot be started" in guest.console


@pytest.mark.parametrize(
    ("bootcount", "starts", "left"),
    [("0", "b", ("b", "1", "1", "")), ("1", "a", ("a", "0", "0", "1"))],
)
def test_the_ab_rule_of_an_x64_device(
    x64_firmware: FirmwareImage, bootcount: str, starts: str, left: tuple[str, ...]
) -> None:
    """As far as its boot-loader goes: Linux is the same from there on."""
    changes = {**UPGRADE, "bootcount": bootcount, "kept": "yes"}
    with running(x64_firmware, port=free_port(), changes=changes, both_slots=True) as guest:
        guest.wait_for("Starting kernel")
        assert f"fleetdash: slot {starts}\n" in guest.console.replace("\r", "")
        assert f"fleetdash.slot={starts}" in guest.console
        guest.end()
        found = guest.environment()
    names = ("nerves_fw_active", "upgrade_available", "bootcount", "fleetdash_reverted")
    assert tuple(found.get(name, "") for name in names) == left
    assert found["kept"] == "yes"
    assert not any(name.startswith("fd_") or name == "bootcmd" for name in found), found


def test_where_no_slot_can_be_started_the_device_says_so_and_switches_off(
    x64_firmware: FirmwareImage,
) -> None:
    with running(
        x64_firmware, port=free_port(), changes={"nerves_fw_active": "b"}, break_slot="a"
    ) as guest:
        guest.wait_for("fleetdash: no slot can be started")
        os.waitid(os.P_PID, guest.process.pid, os.WEXITED | os.WNOWAIT)
