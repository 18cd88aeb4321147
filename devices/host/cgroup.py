"""The limits a control group puts on this process, version 1 and 2.

A host in a container has fewer cores and less memory than /proc says. Limits hold for a group and
everything below it, so the tightest of a group and its parents counts
(Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst; scheduler/sched-bwc.rst).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Version 1 writes "no limit" as the largest multiple of a page in 63 bits.
_V1_NO_LIMIT_BYTES = 1 << 62


@dataclass(frozen=True)
class MemoryLimit:
    """A group's memory limit, and the folder in which its use can be read."""

    limit_bytes: int
    folder: Path
    version: int

    def available_bytes(self) -> int | None:
        """What the group may still take; file pages it can drop count as free. None: unreadable."""
        usage_name = "memory.current" if self.version == 2 else "memory.usage_in_bytes"
        file_key = "inactive_file" if self.version == 2 else "total_inactive_file"
        try:
            used = int((self.folder / usage_name).read_text())
            stat = (self.folder / "memory.stat").read_text()
        except (OSError, ValueError):
            return None
        droppable = _stat_value(stat, file_key) or 0
        return max(0, self.limit_bytes - used + min(droppable, used))


def memory_limit(root: Path = Path("/")) -> MemoryLimit | None:
    """The tightest memory limit above this process, or None when there is none."""
    found: list[MemoryLimit] = []
    for version, folder in _folders(root, "memory"):
        name = "memory.max" if version == 2 else "memory.limit_in_bytes"
        limit = _number(folder / name)
        if limit is not None and limit < _V1_NO_LIMIT_BYTES:
            found.append(MemoryLimit(limit, folder, version))
    return min(found, key=lambda each: each.limit_bytes, default=None)


def cpu_limit(root: Path = Path("/")) -> float | None:
    """The tightest CPU quota above this process, in cores, or None when there is none."""
    found: list[float] = []
    for version, folder in _folders(root, "cpu"):
        if version == 2:
            quota, period = _cpu_max(folder / "cpu.max")
        else:
            quota = _number(folder / "cpu.cfs_quota_us")
            period = _number(folder / "cpu.cfs_period_us")
        if quota is not None and period and quota > 0:
            found.append(quota / period)
    return min(found, default=None)


def task_groups(root: Path = Path("/")) -> tuple[Path, ...]:
    """The folders of this process's groups and their parents that limit the number of tasks."""
    found = (folder for _, folder in _folders(root, "pids"))
    return tuple(folder for folder in found if _number(folder / "pids.max") is not None)


def tasks_left(groups: Iterable[Path]) -> int | None:
    """How many more tasks these groups let start; None without a limit."""
    left: list[int] = []
    for folder in groups:
        most, now = _number(folder / "pids.max"), _number(folder / "pids.current")
        if most is not None and now is not None:
            left.append(max(0, most - now))
    return min(left, default=None)


def parse_membership(text: str) -> dict[str, str]:
    """Controller → path from /proc/PID/cgroup; the version 2 line has the controller ''."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def parse_mounts(text: str) -> list[tuple[int, set[str], str, str]]:
    """Version, controllers, root and mount point of each control group mount (mountinfo(5))."""
    mounts: list[tuple[int, set[str], str, str]] = []
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        if not separator:
            continue
        mount_root, mount_point = left.split()[3:5]
        file_system, _, options = right.split(maxsplit=2)
        if file_system == "cgroup2":
            mounts.append((2, set(), mount_root, mount_point))
        elif file_system == "cgroup":
            mounts.append((1, set(options.split(",")), mount_root, mount_point))
    return mounts


def _folders(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """The folders of this process's group and its parents, for one controller."""
    try:
        membership = parse_membership((root / "proc/self/cgroup").read_text())
        mounts = parse_mounts((root / "proc/self/mountinfo").read_text())
    except (OSError, ValueError):
        return
    for version, controllers, mount_root, mount_point in mounts:
        if version == 1 and controller not in controllers:
            continue
        path = membership.get("" if version == 2 else controller)
        if path is None:
            continue
        top = root / mount_point.lstrip("/")
        group = Path(path)
        # A container sees its own group as the mount's root, and its path still from the host's.
        inside = group.relative_to(mount_root) if group.is_relative_to(mount_root) else Path()
        folder = top / str(inside).lstrip("/")
        while True:
            yield version, folder
            if folder == top or top not in folder.parents:
                break
            folder = folder.parent


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
        return None if text == "max" else int(text)
    except (OSError, ValueError):
        return None


def _cpu_max(file: Path) -> tuple[int | None, int | None]:
    try:
        quota, period = file.read_text().split()
        return (None if quota == "max" else int(quota)), int(period)
    except (OSError, ValueError):
        return None, None


def _stat_value(text: str, key: str) -> int | None:
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return None
