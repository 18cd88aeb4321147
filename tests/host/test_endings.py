from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from devices.host import endings
from devices.host.endings import Ending, OomWatch

_major, _minor = (int(part) for part in os.uname().release.split(".")[:2])
tells = pytest.mark.skipif((_major, _minor) < (6, 15), reason="needs Linux 6.15")


@tells
@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ("exit 3", Ending(status=3)),
        ("exit 0", Ending(status=0)),
        ("kill -KILL $$", Ending(signal=signal.SIGKILL)),
        ("kill -SEGV $$", Ending(signal=signal.SIGSEGV)),
    ],
)
def test_a_pidfd_tells_how_its_process_ended(command: str, ending: Ending) -> None:
    process = subprocess.Popen(["sh", "-c", f"read x; ulimit -c 0; {command}"],
                               stdin=subprocess.PIPE)
    pidfd = os.pidfd_open(process.pid)
    try:
        assert endings.of(pidfd) == Ending()
        process.communicate(b"\n")
        assert endings.of(pidfd) == ending
    finally:
        os.close(pidfd)


def test_a_kernel_that_does_not_tell_leaves_it_unknown() -> None:
    with Path("/dev/null").open() as other:
        assert endings.of(other.fileno()) == Ending()


def test_kills_for_want_of_memory_are_counted(tmp_path: Path) -> None:
    assert endings.parse_oom_kills("nr_free_pages 5\noom_kill 17\ndrop 1\n") == 17
    assert endings.parse_oom_kills("nr_free_pages 5\n") == 0
    assert endings.oom_kills(tmp_path) == 0
    assert endings.oom_kills() >= 0


def test_only_the_kills_of_the_last_notes_count() -> None:
    count = 5
    watch = OomWatch(lambda: count, notes=2)
    assert watch.lately() == 0
    count = 8
    assert watch.lately() == 3
    watch.note()
    assert watch.lately() == 3
    watch.note()
    assert watch.lately() == 0
