"""How a process ended, asked of the kernel by who is not its parent; whom memory's want killed.

Since Linux 6.15 a pidfd tells the exit status of a process that somebody has waited for
(PIDFD_GET_INFO with PIDFD_INFO_EXIT, include/uapi/linux/pidfd.h); before, it stays unknown.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# struct pidfd_info as of Linux 6.13: mask at its beginning, exit status in its last four bytes
_INFO_BYTES = 64
_MASK_EXIT = 1 << 3
_EXIT_AT = 60
_GET_INFO = 3 << 30 | _INFO_BYTES << 16 | 0xFF << 8 | 11

SIGKILL = int(signal.SIGKILL)


@dataclass(frozen=True)
class Ending:
    """A signal's number, or an exit status; neither when the kernel does not tell."""

    signal: int | None = None
    status: int | None = None


def of(pidfd: int) -> Ending:
    """How the process of a pidfd ended; unknown while nobody has waited for it."""
    info = bytearray(_INFO_BYTES)
    struct.pack_into("<Q", info, 0, _MASK_EXIT)
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return Ending()
    (mask,) = struct.unpack_from("<Q", info)
    if not mask & _MASK_EXIT:
        return Ending()
    (status,) = struct.unpack_from("<i", info, _EXIT_AT)
    if os.WIFSIGNALED(status):
        return Ending(signal=os.WTERMSIG(status))
    return Ending(status=os.WEXITSTATUS(status))


def parse_oom_kills(vmstat: str) -> int:
    """The line `oom_kill` of /proc/vmstat; 0 on a kernel without it (before 4.13)."""
    for line in vmstat.splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def oom_kills(root: Path = Path("/")) -> int:
    """How many processes the kernel has killed for want of memory since it started.

    The machine's and every control group's limit count here (mm/oom_kill.c).
    """
    try:
        return parse_oom_kills((root / "proc/vmstat").read_text())
    except (OSError, ValueError):
        return 0


class OomWatch:
    """How many processes were killed for want of memory in the last seconds.

    `note` is called about once a second; `lately` counts since the oldest of the last few notes.
    """

    def __init__(self, count: Callable[[], int] = oom_kills, notes: int = 4) -> None:
        self._count = count
        self._notes: deque[int] = deque([count()], maxlen=notes)

    def note(self) -> None:
        """Remember the count as it is now."""
        self._notes.append(self._count())

    def lately(self) -> int:
        """Kills of the last few seconds."""
        return self._count() - self._notes[0]
