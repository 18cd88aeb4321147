from __future__ import annotations

import os
from pathlib import Path

import pytest

from devices.host import kernel_settings, zram_swap
from devices.host.errors import NoZramSwap

GIB = 1 << 30
MIB = 1 << 20
MAKER = "tests"


@pytest.mark.parametrize(
    ("text", "size"),
    [("8G", 8 * GIB), ("512M", 512 * MIB), ("512MiB", 512 * MIB), ("50%", 12 * GIB)],
)
def test_a_size_is_written_as_people_do(text: str, size: int) -> None:
    assert zram_swap.size_bytes(text, 24 * GIB) == size


@pytest.mark.parametrize("text", ["much", "-1G", "1M", "49G", "1.5G", "300%", ""])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(NoZramSwap):
        zram_swap.size_bytes(text, 24 * GIB)


def settings_now() -> list[str]:
    return [Path("/proc/sys", name).read_text() for name in zram_swap.TUNING]


def test_it_is_used_and_gone_when_its_maker_takes_it_away() -> None:
    problem = zram_swap.why_not()
    if problem:
        pytest.skip(problem)
    before = settings_now(), set(os.listdir("/sys/block"))
    made = zram_swap.make(64 * MIB, MAKER)
    assert made.device in Path("/proc/swaps").read_text()
    assert settings_now() == ["100\n", "0\n"]
    with pytest.raises(NoZramSwap, match="has swap already"):
        zram_swap.make(64 * MIB, MAKER)
    assert zram_swap.remove("somebody else") is None
    assert made.device in Path("/proc/swaps").read_text()
    assert zram_swap.remove(MAKER) == made
    assert made.device not in Path("/proc/swaps").read_text()
    assert (settings_now(), set(os.listdir("/sys/block"))) == before
    assert zram_swap.remove(MAKER) is None


def machine(root: Path, *, available_mib: int, used_mib: int) -> None:
    """A machine with so much in a swap that `MAKER` made."""
    for name, text in {
        "proc/sys/kernel/random/boot_id": "one\n",
        "proc/meminfo": f"MemTotal: 25165824 kB\nMemAvailable: {available_mib * 1024} kB\n"
        "SwapTotal: 8388608 kB\nSwapFree: 0 kB\n",
        "proc/swaps": f"Filename Type Size Used Priority\n"
        f"/dev/zram77 partition 8388608 {used_mib * 1024} 100\n",
        "run/fleetdash/zram.json": '{"boot_id": "one", "number": 77, "maker": "tests",'
        ' "before": {}}',
        "sys/block/zram77/disksize": "8589934592\n",
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_it_stays_when_what_is_in_it_would_not_fit(tmp_path: Path) -> None:
    machine(tmp_path, available_mib=2048, used_mib=1800)
    with pytest.raises(NoZramSwap, match="1,800 MiB are in the swap /dev/zram77 and only 2,048"):
        zram_swap.remove(MAKER, tmp_path)
    assert zram_swap.made_by(MAKER, tmp_path), "the next bin/down tries again"


def test_a_record_of_another_boot_is_nobodys(tmp_path: Path) -> None:
    machine(tmp_path, available_mib=2048, used_mib=0)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("two\n")
    assert zram_swap.remove(MAKER, tmp_path) is None


def test_one_that_somebody_else_took_away_leaves_no_setting_behind(tmp_path: Path) -> None:
    machine(tmp_path, available_mib=2048, used_mib=0)
    swappiness = tmp_path / "proc/sys/vm/swappiness"
    swappiness.parent.mkdir()
    swappiness.write_text("60\n")
    kernel_settings.hold("vm/swappiness", "100", f"{MAKER} zram", tmp_path, beneath=True)
    (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n")
    (tmp_path / "sys/block/zram77/disksize").unlink()
    assert zram_swap.made(tmp_path) is None
    assert zram_swap.remove(MAKER, tmp_path) == zram_swap.Swap("/dev/zram77", 0)
    assert swappiness.read_text().strip() == "60"
    assert not zram_swap.made_by(MAKER, tmp_path)


def test_a_machine_with_swap_and_one_without_zram_are_told(tmp_path: Path) -> None:
    machine(tmp_path, available_mib=2048, used_mib=0)
    assert zram_swap.why_not(tmp_path) == "This machine has swap already."
    (tmp_path / "proc/meminfo").write_text(
        "MemTotal: 1 kB\nMemAvailable: 1 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
    )
    assert "no zram" in zram_swap.why_not(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a swap")
def test_a_swap_that_fails_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = zram_swap.why_not()
    if problem:
        pytest.skip(problem)
    monkeypatch.setattr(zram_swap, "_PROGRAMS_BELOW", "/nowhere")
    before = settings_now(), set(os.listdir("/sys/block"))
    with pytest.raises(NoZramSwap, match="mkswap is missing"):
        zram_swap.make(64 * MIB, MAKER)
    assert (settings_now(), set(os.listdir("/sys/block"))) == before
    assert not zram_swap.made_by(MAKER)


def test_one_that_was_made_in_a_mount_namespace_that_ended_is_known(tmp_path: Path) -> None:
    machine(tmp_path, available_mib=2048, used_mib=1800)
    swaps = tmp_path / "proc/swaps"
    swaps.write_text(swaps.read_text().replace("/dev/zram77", "/zram77"))
    assert zram_swap.made(tmp_path) == zram_swap.Swap("/dev/zram77", 8 * GIB)
    with pytest.raises(NoZramSwap, match="1,800 MiB are in the swap /dev/zram77"):
        zram_swap.remove(MAKER, tmp_path)


def test_settings_that_suit_the_swap_lie_beneath_what_a_person_set() -> None:
    problem = zram_swap.why_not() or kernel_settings.why_not("vm/swappiness")
    if problem:
        pytest.skip(problem)
    before, held = settings_now(), kernel_settings.held("vm/swappiness")
    if held is not None:
        pytest.skip("a fleet on this machine holds swappiness")
    kernel_settings.hold("vm/swappiness", "42", MAKER)
    try:
        made = zram_swap.make(64 * MIB, MAKER, algorithm=zram_swap.algorithms()[0])
        try:
            assert settings_now() == ["42\n", "0\n"]
            chosen = Path("/sys/block", Path(made.device).name, "comp_algorithm").read_text()
            assert f"[{zram_swap.algorithms()[0]}]" in chosen
        finally:
            zram_swap.remove(MAKER)
        assert settings_now() == ["42\n", before[1]]
    finally:
        kernel_settings.release(MAKER)
    assert settings_now() == before


def test_an_algorithm_the_kernel_lacks_leaves_nothing_behind() -> None:
    problem = zram_swap.why_not()
    if problem:
        pytest.skip(problem)
    before = settings_now(), set(os.listdir("/sys/block"))
    with pytest.raises(NoZramSwap, match="this kernel compresses with .*, not 'best'"):
        zram_swap.make(64 * MIB, MAKER, algorithm="best")
    assert (settings_now(), set(os.listdir("/sys/block"))) == before
