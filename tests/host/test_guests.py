from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.host import guests
from devices.host.guests import GuestSampler, Process
from tests.open_files import open_files

STAT = b"42 (qemu (a) b) R 1 42 42 0 -1 4 99 0 0 0 %d 5 0 0 20 0 4 0 93264 3133440 %d 18 0 0\n"


def write_stat(root: Path, cpu: int, pages: int, state: bytes = b"R") -> None:
    file = root / "proc/42/stat"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = (STAT % (cpu - 5, pages)).replace(b") R", b") " + state)
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.truncate(0)
        opened.write(text)


@pytest.fixture
def heavy() -> Iterator[subprocess.Popen[bytes]]:
    """A process of at least 32 MiB: the kernel's figure for a small one is only approximate."""
    code = "held = b'x' * (32 << 20); print(flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_name_with_brackets_and_blanks_is_no_trap() -> None:
    stat = guests.parse_stat(STAT % (37, 393))
    assert stat == guests.ProcessStat(b"R", 42, 93264, 393)


def test_cpu_is_per_mille_of_a_core_since_the_last_sample(tmp_path: Path) -> None:
    started_s = 93264 / guests.TICKS_PER_S
    now = [started_s + 10.0]
    sampler = GuestSampler(tmp_path, clock=lambda: now[0])
    process = Process(42, 93264)
    write_stat(tmp_path, cpu=guests.TICKS_PER_S, pages=10)
    # a second of CPU in the ten since it started
    assert sampler.sample([process]) == [(100, 10 * guests.PAGE_KIB)]
    now[0] += 2.0
    write_stat(tmp_path, cpu=guests.TICKS_PER_S * 3 // 2, pages=20)
    assert sampler.sample([process]) == [(250, 20 * guests.PAGE_KIB)]
    now[0] += 0.5
    assert sampler.sample([process]) == [(0, 20 * guests.PAGE_KIB)]
    sampler.close()


def test_another_process_of_the_same_number_is_not_the_guest(tmp_path: Path) -> None:
    write_stat(tmp_path, cpu=10, pages=10)
    assert GuestSampler(tmp_path).sample([Process(42, 93263)]) == [None]


def test_a_zombie_is_gone(tmp_path: Path) -> None:
    sampler = GuestSampler(tmp_path)
    write_stat(tmp_path, cpu=10, pages=10)
    assert sampler.sample([Process(42, 93264)]) != [None]
    write_stat(tmp_path, cpu=10, pages=0, state=b"Z")
    assert sampler.sample([Process(42, 93264)]) == [None]
    assert guests.start_time(42, tmp_path) is None


def test_a_real_process_is_followed_to_its_end(heavy: subprocess.Popen[bytes]) -> None:
    before = open_files()
    started = guests.start_time(heavy.pid)
    assert started is not None
    process = Process(heavy.pid, started)
    sampler = GuestSampler()
    first = sampler.sample([process])[0]
    assert first is not None
    assert 0 <= first.cpu_permille <= 1100
    assert 32 << 10 < first.rss_kib < 128 << 10
    second = sampler.sample([process])[0]
    assert second is not None
    assert 0 <= second.cpu_permille <= 1000
    heavy.kill()
    heavy.wait()
    assert sampler.sample([process]) == [None]
    assert open_files() == before


def test_processes_no_longer_asked_for_are_let_go(sleeper: subprocess.Popen[bytes]) -> None:
    before = open_files()
    sampler = GuestSampler()
    sampler.sample([Process(sleeper.pid, guests.start_time(sleeper.pid) or 0)])
    assert open_files() == before + 1
    sampler.sample([])
    assert open_files() == before
