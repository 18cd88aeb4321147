from __future__ import annotations

import json
from pathlib import Path

import pytest

from devices.host import kernel_settings, ksm_control, levers
from tests.host.machine import a_machine

GIB = 1 << 30
MIB = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_machine(tmp_path)


def a_swap(root: Path, *, maker: str, used_mib: int = 0) -> None:
    """A swap of 1 GiB in compressed memory that `maker` made."""
    for name, text in {
        "run/fleetdash/zram.json": json.dumps({"boot_id": "one", "number": 1, "maker": maker}),
        "proc/swaps": f"Filename Type Size Used Priority\n"
        f"/dev/zram1 partition 1048576 {used_mib * 1024} 100\n",
        "sys/block/zram1/disksize": str(GIB),
        "sys/block/zram1/mm_stat": f"{300 * MIB} {100 * MIB} {110 * MIB} 0 0 0 0 0 0",
        "sys/block/zram1/comp_algorithm": "lzo-rle lzo [lz4]",
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_ksm_shows_its_signed_profit_and_what_was_there_before_it_was_taken(root: Path) -> None:
    untouched = levers.read_ksm(root, ksmd_pid=7)
    assert (untouched.before, untouched.refused) == (None, "")
    assert untouched.effect["profit_bytes"] == -4096
    assert untouched.effect["ksmd_cpu_s"] == 2.0
    control = ksm_control.take(root)
    assert control is not None
    control.merge_at(700, 30)
    control.release()
    changed = levers.read_ksm(root)
    assert changed.present == {"run": 1, "pages_to_scan": 700, "sleep_ms": 30}
    assert changed.before == {"run": 0, "pages_to_scan": 100, "sleep_ms": 20, "advisor": "none"}


def test_a_kernel_without_ksm_says_so(tmp_path: Path) -> None:
    reading = levers.read_ksm(tmp_path)
    assert (reading.present, reading.effect) == (None, {})
    assert "CONFIG_KSM" in reading.refused


def test_swappiness_knows_what_it_was_and_its_limits(root: Path) -> None:
    kernel_settings.hold(levers.SWAPPINESS, "80", "a", root)
    reading = levers.read_swappiness(root)
    assert (reading.present, reading.before) == ({"value": 80}, {"value": 60})
    assert reading.limits == {"value": [0, 200]}


def test_without_a_swap_one_can_be_made_as_large_as_the_memory(root: Path) -> None:
    reading = levers.read_zram("mine", root)
    assert reading.present == {"size_bytes": 0, "algorithm": "", "device": ""}
    assert reading.refused == ""
    assert reading.limits["size_bytes"] == [64 * MIB, 24 * GIB]
    assert reading.limits["algorithms"] == ["lzo-rle", "lzo", "lz4"]


def test_a_swap_shows_its_ratio_and_goes_only_when_what_is_in_it_fits(root: Path) -> None:
    a_swap(root, maker="mine", used_mib=300)
    reading = levers.read_zram("mine", root)
    assert reading.present == {"size_bytes": GIB, "algorithm": "lz4", "device": "/dev/zram1"}
    assert (reading.effect["ratio"], reading.before) == (3.0, {"size_bytes": 0})
    assert reading.refused == ""
    a_machine(root, available_mib=700)
    a_swap(root, maker="mine", used_mib=300)
    refused = levers.read_zram("mine", root).refused
    assert "300 MiB are in the swap /dev/zram1 and only 700 MiB" in refused


def test_a_swap_of_another_fleet_is_not_ours_to_take_away(root: Path) -> None:
    a_swap(root, maker="theirs")
    reading = levers.read_zram("mine", root)
    assert "not made by this fleet" in reading.refused
    assert reading.before is None


def test_a_swap_the_machine_came_with_is_left_alone(tmp_path: Path) -> None:
    reading = levers.read_zram("mine", a_machine(tmp_path, swap_mib=2048))
    assert reading.refused == "This machine has swap already."
