"""Real devices rebooted, shut down, powered off and on again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fleet import Fleet
from tests.integration.test_life import BOOT_S, emptied, operate, processes, wait_until

pytestmark = pytest.mark.guest

__all__ = ["emptied"]


def ask(fleet: Fleet, kind: str, *serials: str) -> int:
    """Ask for an action on devices; the operation's number."""
    return int(fleet.api("POST", "operations", {"kind": kind, "serials": serials})["id"])


def ended(fleet: Fleet, operation_id: int) -> dict[str, Any]:
    """The operation once it has ended."""
    wait_until(
        lambda: fleet.api("GET", f"operations/{operation_id}")["state"] != "running", BOOT_S
    )
    found: dict[str, Any] = fleet.api("GET", f"operations/{operation_id}")
    return found


def test_devices_reboot_go_off_and_come_back_on_their_own_disks(fleet: Fleet) -> None:
    wait_until(fleet.template_is_ready, 90)
    assert operate(fleet, "add", 3)["done"] == 3
    before = processes(fleet)
    rebooted, shut_down, unplugged = sorted(before)
    disks = {s: (fleet.var / "guests" / s / "overlay.qcow2").stat().st_ino for s in before}

    reboot = ask(fleet, "reboot", rebooted)
    for operation in (ask(fleet, "shut_down", shut_down), ask(fleet, "power_off", unplugged)):
        done = ended(fleet, operation)
        assert (done["state"], done["done"]) == ("succeeded", 1), done
    # a reboot is the same qemu with another start; the others have none any more
    assert processes(fleet) == {rebooted: before[rebooted]}
    assert fleet.api("GET", f"devices/{shut_down}")["reason"] == "It shut down."
    assert fleet.api("GET", f"devices/{unplugged}")["reason"] == "It was powered off."
    counts = fleet.api("GET", "summary")["counts"]
    assert (counts["off"], counts["failed"]) == (2, 0)

    on = ended(fleet, ask(fleet, "power_on", shut_down, unplugged, rebooted))
    # the one that was on already is left out, and says why
    assert (on["state"], on["done"], on["cancelled"]) == ("partly", 2, 1)
    assert ended(fleet, reboot)["state"] == "succeeded"
    after = processes(fleet)
    assert (sorted(after), after[rebooted]) == (sorted(before), before[rebooted])
    for serial in before:
        shown = fleet.api("GET", f"devices/{serial}")
        assert (shown["state"], shown["reported_start"]) == ("online", "cold")
        overlay = fleet.var / "guests" / serial / "overlay.qcow2"
        assert overlay.stat().st_ino == disks[serial]
