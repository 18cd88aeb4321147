"""Devices of both architectures beside each other in one fleet."""

from __future__ import annotations

import pytest

from tests.fleet import Fleet
from tests.integration.test_life import BOOT_S, operate, processes, wait_until

pytestmark = pytest.mark.guest


def test_an_arm64_and_an_x64_device_are_online_at_once(fleet: Fleet) -> None:
    asked = fleet.api("POST", "operations", {"kind": "add", "count": 1, "start": "cold"})["id"]
    done = fleet.run("bin/fleet", "add", "1", "--cold", "--arch", "x64", timeout_s=BOOT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: fleet.api("GET", f"operations/{asked}")["state"] != "running", BOOT_S)
    devices = fleet.api("GET", "devices?state=online")["devices"]
    assert sorted(device["architecture"] for device in devices) == ["arm64", "x64"]
    assert sorted(processes(fleet)) == sorted(device["serial"] for device in devices)
    programs = {}
    for device in devices:
        shown = fleet.api("GET", f"devices/{device['serial']}")
        # the boot-loader of each read the slot from the same layout and environment
        assert (shown["reported_slot"], shown["reported_start"]) == ("a", "cold")
        programs[device["architecture"]] = shown["command_line"][0].rpartition("/")[2]
    assert programs == {"arm64": "qemu-system-aarch64", "x64": "qemu-system-x86_64"}
    listed = fleet.run("bin/fleet", "ls").stdout
    assert all(word in listed for word in ("arm64", "x64"))
    assert operate(fleet, "remove", 2)["state"] == "succeeded"
