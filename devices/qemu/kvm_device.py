"""Who may open /dev/kvm; qemu 7.2 opens it by name, after its rights are gone."""

from __future__ import annotations

import stat
from pathlib import Path

KVM_DEVICE = Path("/dev/kvm")
_GROUP = stat.S_IRGRP | stat.S_IWGRP
_OTHERS = stat.S_IROTH | stat.S_IWOTH


def group_to_open(device: Path = KVM_DEVICE) -> int | None:
    """The group a guest's process must have to open the device; None when none helps or is needed.

    Never root's group: that would open more than the device.
    """
    try:
        about = device.stat()
    except OSError:
        return None
    open_to_group = about.st_mode & _GROUP == _GROUP and about.st_mode & _OTHERS != _OTHERS
    return about.st_gid if open_to_group and about.st_gid != 0 else None


def why_not_open(device: Path = KVM_DEVICE) -> str | None:
    """Why a user without rights cannot open the device, and what to do; None when it can."""
    about = device.stat()
    if group_to_open(device) is not None or about.st_mode & _OTHERS == _OTHERS:
        return None
    mode = stat.S_IMODE(about.st_mode)
    return (
        f"the guests' user may not open {device} (mode {mode:04o}, group {about.st_gid}); "
        f"`chgrp kvm {device} && chmod 0660 {device}` would let it"
    )
