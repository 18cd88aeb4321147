"""How many guests the kernel's own limits leave room for: process numbers and open files.

Memory is what usually runs out first; where it does not, the next guest would fail with an error
of fork or open that tells a person nothing.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devices.host import cgroup

# qemu's main loop, its processor, its RCU thread and a worker that comes and goes
TASKS_A_GUEST = 5
# what else runs on the machine shall still be able to start something
TASKS_KEPT = 1024
# the worker follows a guest's end and its console, the poller its end and its /proc/PID/stat
FILES_A_GUEST = 2
FILES_KEPT = 512

NO_LIMIT = 1 << 22  # no kernel numbers more processes


@dataclass(frozen=True)
class Limits:
    """Tasks that may still be started on this machine, and files that one process may open."""

    tasks_left: int
    open_files: int

    def more_guests(self, *, there: int, starting: int = 0) -> tuple[int, str]:
        """How many more guests these allow, and which limit it is, as a sentence.

        `there` counts all that have their files open, `starting` those without a process yet.
        """
        by_tasks = (self.tasks_left - TASKS_KEPT) // TASKS_A_GUEST - starting
        by_files = (self.open_files - FILES_KEPT) // FILES_A_GUEST - there - starting
        if by_tasks <= by_files:
            return max(0, by_tasks), (
                f"{self.tasks_left:,} more processes and threads may be started on it and a guest "
                f"has {TASKS_A_GUEST} (raise kernel.pid_max, or pids.max of its control group)"
            )
        return max(0, by_files), (
            f"a process may open {self.open_files:,} files and needs {FILES_A_GUEST} a guest "
            "(raise the hard limit: ulimit -Hn)"
        )


def read(tasks: int, groups: Iterable[Path], root: Path = Path("/")) -> Limits:
    """The limits now, with so many tasks on the machine (`LoadSample.tasks`).

    `groups` are the control groups that limit tasks (`cgroup.task_groups`).
    """
    left = [
        most - tasks
        for name in ("pid_max", "threads-max")
        if (most := _number(root / "proc/sys/kernel" / name)) is not None
    ]
    group = cgroup.tasks_left(groups)
    if group is not None:
        left.append(group)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Limits(
        tasks_left=max(0, min(left, default=NO_LIMIT)),
        open_files=NO_LIMIT if files == resource.RLIM_INFINITY else min(files, NO_LIMIT),
    )


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
