"""A control group for guests, so that ending our own group never ends them."""

from __future__ import annotations

from pathlib import Path

from devices.qemu.errors import ConfinementFailed


def ensure_cgroup(name: str, *, mountinfo: str | None = None) -> Path:
    """The guests' group directly below a hierarchy's root, outside our own; made when missing.

    Takes version 2 where it is mounted, else systemd's own version 1 hierarchy: those are what a
    service's processes are found by (systemd.kill(5)). Raises ConfinementFailed.
    """
    if mountinfo is None:
        mountinfo = Path("/proc/self/mountinfo").read_text()
    refusals: list[str] = []
    for root in hierarchies(mountinfo):
        group = root / name
        try:
            group.mkdir(exist_ok=True)
            with (group / "cgroup.procs").open("a"):
                return group
        except OSError as error:
            refusals.append(f"{group}: {error.strerror}")
    raise ConfinementFailed(
        "No control group can be made for the guests "
        f"({'; '.join(refusals) or 'none of the kernel’s hierarchies is mounted'})."
    )


def remove_cgroup(group: Path) -> None:
    """Remove the group unless a guest is left in it; no group is no error."""
    try:
        group.rmdir()
    except OSError:
        return


def hierarchies(mountinfo: str) -> list[Path]:
    """Where version 2 and systemd's version 1 are mounted, in that order (proc(5), mountinfo)."""
    version_2: list[Path] = []
    systemd: list[Path] = []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount_point = Path(left.split()[4])
        kind, _, options = right.split(maxsplit=2)
        if kind == "cgroup2":
            version_2.append(mount_point)
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            systemd.append(mount_point)
    return version_2 + systemd
