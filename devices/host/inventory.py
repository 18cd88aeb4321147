"""What this machine is: learnt from it, never typed in."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from devices.host import architecture, cgroup, memory


@dataclass(frozen=True)
class Inventory:
    """A machine as a host of guests; memory and cores are what this process may use."""

    architecture: str
    cores: int
    memory_bytes: int
    hostname: str
    kernel: str
    boot_id: str


def boot_id(root: Path = Path("/")) -> str:
    """The kernel's random id of this boot (random(4)): tells a pid of today from yesterday's."""
    return (root / "proc/sys/kernel/random/boot_id").read_text().strip()


def usable_cores(root: Path = Path("/"), *, allowed: int | None = None) -> int:
    """Cores this process may run on: its affinity (`allowed`), lowered by a CPU quota.

    At least 1. A quota of one and a half cores counts as two: guests can keep two busy in turns.
    """
    cores = len(os.sched_getaffinity(0)) if allowed is None else allowed
    quota = cgroup.cpu_limit(root)
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def usable_memory_bytes(root: Path = Path("/")) -> int:
    """Physical memory in bytes, or the control group's limit when that is lower."""
    physical = memory.parse((root / "proc/meminfo").read_text()).total_bytes
    limit = cgroup.memory_limit(root)
    return physical if limit is None else min(physical, limit.limit_bytes)


def take(root: Path = Path("/")) -> Inventory:
    """Learn what this machine is; raises UnknownArchitecture."""
    uname = os.uname()
    return Inventory(
        architecture=architecture.normalise(uname.machine),
        cores=usable_cores(root),
        memory_bytes=usable_memory_bytes(root),
        hostname=uname.nodename,
        kernel=uname.release,
        boot_id=boot_id(root),
    )
