from __future__ import annotations

import time
from pathlib import Path

import pytest

from devices.host import cpu
from devices.host.cpu import CoreTimes, Stat

STAT = b"""\
cpu  999 9 99 9999 9 0 9 9 0 0
cpu0 100 10 50 800 40 5 5 20 7 0
cpu2 1 2 3 4 5 6 7 8 0 0
intr 150714 0 0 1 9
ctxt 12345
procs_running 3
procs_blocked 1
"""


def times(user: int = 0, idle: int = 0, iowait: int = 0, steal: int = 0) -> CoreTimes:
    return CoreTimes(user=user, system=0, idle=idle, iowait=iowait, steal=steal)


def test_it_reads_the_columns_and_keeps_core_numbers() -> None:
    stat = cpu.parse(STAT)
    assert stat.cores == {
        0: CoreTimes(user=110, system=60, idle=800, iowait=40, steal=20),
        2: CoreTimes(user=3, system=16, idle=4, iowait=5, steal=8),
    }
    assert stat.running == 3


@pytest.mark.parametrize(
    ("after", "byte"),
    [
        (times(user=25), 255),
        (times(idle=25), 0),
        (times(iowait=25), 0),
        (times(steal=25), 255),
        (times(user=10, idle=10), 128),
        (times(), 0),
    ],
)
def test_busy_is_neither_idle_nor_waiting_for_disk(after: CoreTimes, byte: int) -> None:
    sample = cpu.between(Stat({0: times()}, 1), Stat({0: after}, 1), 1)
    assert sample.busy == bytes([byte])


def test_an_offline_core_stays_in_its_place() -> None:
    before = Stat({0: times(), 1: times(), 2: times()}, 1)
    after = Stat({0: times(idle=10), 2: times(user=10)}, 1)
    sample = cpu.between(before, after, 3)
    assert sample.busy == b"\x00\x00\xff"
    assert sample.online == 2
    assert sample.total == 0.5


def test_a_core_new_or_back_online_starts_from_nothing() -> None:
    sample = cpu.between(Stat({}, 1), Stat({0: times(user=5000)}, 1), 1)
    assert sample.busy == b"\x00"


def test_a_counter_that_went_back_counts_as_unmoved() -> None:
    before = Stat({0: times(user=10, idle=10, iowait=50)}, 1)
    after = Stat({0: times(user=20, idle=20, iowait=40)}, 1)
    sample = cpu.between(before, after, 1)
    assert sample.busy == b"\x80"
    assert sample.iowait == 0.0


def test_the_run_queue_leaves_the_reader_out() -> None:
    assert cpu.between(Stat({}, 1), Stat({}, 4), 0).running == 3
    assert cpu.between(Stat({}, 1), Stat({}, 0), 0).running == 0


def test_a_sampler_follows_the_file_and_never_shrinks(tmp_path: Path) -> None:
    stat = tmp_path / "proc/stat"
    stat.parent.mkdir()

    def write(text: bytes) -> None:
        with stat.open("r+b" if stat.exists() else "wb") as file:
            file.truncate(0)
            file.write(text)

    write(b"cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\nprocs_running 1\n")
    with cpu.CoreSampler(tmp_path) as sampler:
        write(b"cpu0 9 0 0 0 0 0 0 0\ncpu1 0 0 0 9 0 0 0 0\nprocs_running 1\n")
        assert sampler.sample().busy == b"\xff\x00"
        write(b"cpu0 9 0 0 9 0 0 0 0\nprocs_running 1\n")
        assert sampler.sample().busy == b"\x00\x00"
        write(b"cpu0 9 0 0 9 0 0 0 0\ncpu3 0 0 0 0 0 0 0 0\nprocs_running 1\n")
        assert len(sampler.sample().busy) == 4


def test_a_file_larger_than_the_buffer_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "_READ_BYTES", 16)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_bytes(STAT)
    with cpu.CoreSampler(tmp_path) as sampler:
        sample = sampler.sample()
    assert len(sample.busy) == 3
    assert sample.running == 2


def test_a_busy_core_shows_on_the_real_machine() -> None:
    with cpu.CoreSampler() as sampler:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        sample = sampler.sample()
    assert sample.online >= 1
    assert max(sample.busy) > 60
