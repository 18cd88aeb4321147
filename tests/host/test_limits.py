from __future__ import annotations

import resource
from pathlib import Path

import pytest

from devices.host import cgroup, limits
from devices.host.limits import Limits
from tests.host.test_cgroup import V2_MOUNT, lay


@pytest.mark.parametrize(
    ("tasks_left", "open_files", "there", "starting", "more", "named"),
    [
        (32_000, 20_000, 0, 0, (32_000 - 1024) // 5, "kernel.pid_max"),
        (32_000, 4096, 1000, 100, (4096 - 512) // 2 - 1100, "ulimit"),
        (1024 + 50, 20_000, 0, 4, 6, "pids.max"),
        (10, 20_000, 0, 0, 0, "kernel.pid_max"),
        (32_000, 1024, 1000, 0, 0, "ulimit"),
    ],
)
def test_the_tighter_limit_counts_and_says_what_to_raise(
    tasks_left: int, open_files: int, there: int, starting: int, more: int, named: str
) -> None:
    found, sentence = Limits(tasks_left, open_files).more_guests(there=there, starting=starting)
    assert found == more
    assert named in sentence


def test_the_least_of_kernel_and_control_groups_is_left(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "proc/sys/kernel/pid_max": "32768\n",
            "proc/sys/kernel/threads-max": "100000\n",
            "proc/self/cgroup": "0::/jobs/one\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/jobs/pids.max": "5000\n",
            "sys/fs/cgroup/jobs/pids.current": "200\n",
            "sys/fs/cgroup/jobs/one/pids.max": "max\n",
            "sys/fs/cgroup/jobs/one/pids.current": "7\n",
        },
    )
    groups = cgroup.task_groups(root)
    assert groups == (root / "sys/fs/cgroup/jobs",)
    assert limits.read(300, groups, root).tasks_left == 4800
    assert limits.read(300, (), root).tasks_left == 32468
    assert limits.read(40_000, (), root).tasks_left == 0


def test_the_hard_limit_of_open_files_is_this_process_own() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert limits.read(100, cgroup.task_groups()).open_files == min(hard, limits.NO_LIMIT)
