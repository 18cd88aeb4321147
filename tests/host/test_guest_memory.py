from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

from devices.host import guest_memory
from devices.host.guest_memory import GuestMemory

ROLLUP = """5600-7ffd ---p 00000000 00:00 0 [rollup]
Rss:               900 kB
Pss:               300 kB
Pss_Dirty:           9 kB
Pss_Anon:          200 kB
Pss_File:          100 kB
Anonymous:         640 kB
SwapPss:            21 kB
"""


def test_sums_are_taken_from_the_kernels_text() -> None:
    memory = guest_memory.parse(ROLLUP, "Name:\tqemu\nVmPTE:\t     70 kB\n")
    assert memory == GuestMemory(300, 640, 200, swapped_kib=21, page_tables_kib=70)
    assert memory.total_kib == 321
    assert guest_memory.parse("Pss: 12 kB\n") == GuestMemory(12, 12, 12)
    with pytest.raises(ValueError, match="Pss"):
        guest_memory.parse("Rss: 12 kB\n")


@pytest.mark.parametrize(
    ("memory", "sharers", "kib"),
    [
        # of 6000 all ten share 5000: one more takes 1000
        (GuestMemory(9999, 6000, 1500), 10, 1000),
        # the same among a thousand
        (GuestMemory(9999, 6000, 1005), 1000, 1000),
        # 5000 in common with one of nine others: rather too much than too little
        (GuestMemory(9999, 6000, 3500), 10, 3222),
        # alone: what is its own, and no page of a file
        (GuestMemory(9999, 2000, 2000), 1, 2000),
        # a copy of one other process, with that as the second sharer
        (GuestMemory(9999, 9000, 5000), 2, 1000),
        (GuestMemory(1000, 1000, 1000, swapped_kib=30, page_tables_kib=4), 1, 1034),
    ],
)
def test_what_one_more_takes_leaves_out_what_all_share(
    memory: GuestMemory, sharers: int, kib: int
) -> None:
    assert memory.one_more_kib(sharers) == kib


def test_siblings_that_share_a_file_and_write_a_part_cost_that_part() -> None:
    """Three processes map 64 MiB privately and write 8: PSS says 26, one more takes 8."""
    program = (
        "import mmap,os,sys\n"
        "m=mmap.mmap(int(sys.argv[1]),64<<20,flags=mmap.MAP_PRIVATE)\n"
        "s=sum(m[i] for i in range(0,64<<20,4096))\n"
        "m[:8<<20]=os.urandom(8<<20)\n"
        "print('x',flush=True); sys.stdin.read()\n"
    )
    file = os.memfd_create("template")
    os.ftruncate(file, 64 << 20)
    with mmap.mmap(file, 64 << 20) as whole:
        whole[:] = os.urandom(1 << 20) * 64
    siblings = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(file)], pass_fds=[file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    try:
        for each in siblings:
            assert each.stdout
            each.stdout.readline()
        memory = guest_memory.read(siblings[0].pid)
        assert memory is not None
        assert memory.total_kib > (8 + 56 // 3) << 10
        # the interpreter takes some MiB of its own
        assert 8 << 10 <= memory.one_more_kib(4) < 18 << 10
    finally:
        for each in siblings:
            each.communicate()
        os.close(file)


def test_a_process_that_is_gone_is_unknown(sleeper: subprocess.Popen[bytes]) -> None:
    memory = guest_memory.read(sleeper.pid)
    assert memory is not None
    assert 0 < memory.total_kib < 50_000
    sleeper.kill()
    sleeper.wait()
    assert guest_memory.read(sleeper.pid) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_the_rights_it_is_unknown(sleeper: subprocess.Popen[bytes]) -> None:
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        os._exit(0 if guest_memory.read(sleeper.pid) is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
