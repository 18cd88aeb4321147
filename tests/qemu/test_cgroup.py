from __future__ import annotations

from pathlib import Path

import pytest

from devices.qemu.cgroup import ensure_cgroup, hierarchies, remove_cgroup
from devices.qemu.errors import ConfinementFailed

HYBRID = """\
24 1 0:22 / /sys rw - sysfs sysfs rw
30 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 24 0:27 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
32 24 0:28 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
"""


def test_version_2_comes_before_systemds_own() -> None:
    assert hierarchies(HYBRID) == [
        Path("/sys/fs/cgroup/unified"),
        Path("/sys/fs/cgroup/systemd"),
    ]


def test_the_group_is_made_once_below_the_root(tmp_path: Path) -> None:
    mountinfo = f"32 24 0:28 / {tmp_path} rw - cgroup2 cgroup2 rw"
    group = ensure_cgroup("fleetdash-guests", mountinfo=mountinfo)
    assert group == tmp_path / "fleetdash-guests"
    assert ensure_cgroup("fleetdash-guests", mountinfo=mountinfo) == group
    (group / "cgroup.procs").unlink()
    remove_cgroup(group)
    remove_cgroup(group)
    assert not group.exists()


def test_where_none_can_be_made_the_reason_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfinementFailed, match="none of the kernel"):
        ensure_cgroup("guests", mountinfo="24 1 0:22 / /sys rw - sysfs sysfs rw")
    gone = tmp_path / "gone"
    with pytest.raises(ConfinementFailed, match=f"{gone}/guests: No such file"):
        ensure_cgroup("guests", mountinfo=f"32 24 0:28 / {gone} ro - cgroup2 cgroup2 ro")
