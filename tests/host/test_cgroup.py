from __future__ import annotations

from pathlib import Path

import pytest

from devices.host import cgroup, inventory, memory

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1_MOUNTS = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
GIB = 1 << 30


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_version_2_takes_the_tightest_of_a_group_and_its_parents(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/fleet.service\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/system.slice/memory.max": str(4 * GIB),
            "sys/fs/cgroup/system.slice/cpu.max": "max 100000",
            "sys/fs/cgroup/system.slice/fleet.service/memory.max": "max\n",
            "sys/fs/cgroup/system.slice/fleet.service/cpu.max": "150000 100000\n",
        },
    )
    limit = cgroup.memory_limit(root)
    assert limit is not None
    assert limit.limit_bytes == 4 * GIB
    assert limit.folder == root / "sys/fs/cgroup/system.slice"
    assert cgroup.cpu_limit(root) == 1.5


def test_version_1_has_its_own_names_and_its_own_word_for_no_limit(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/jobs/one\n2:cpu,cpuacct:/jobs/one\n0::/\n",
            "proc/self/mountinfo": V1_MOUNTS,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes": str(2 * GIB),
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu/jobs/one/cpu.cfs_quota_us": "300000",
            "sys/fs/cgroup/cpu/jobs/one/cpu.cfs_period_us": "100000",
        },
    )
    limit = cgroup.memory_limit(root)
    assert limit is not None
    assert limit.limit_bytes == 2 * GIB
    assert cgroup.cpu_limit(root) == 3.0


def test_a_container_finds_its_group_at_the_root_of_the_mount(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n",
            "proc/self/mountinfo": (
                "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
            ),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(GIB),
        },
    )
    limit = cgroup.memory_limit(root)
    assert limit is not None
    assert limit.limit_bytes == GIB


def test_version_1_without_a_limit_is_no_limit(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/\n2:cpu:/\n",
            "proc/self/mountinfo": V1_MOUNTS,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    )
    assert cgroup.memory_limit(root) is None
    assert cgroup.cpu_limit(root) is None


def test_no_groups_are_no_limit(tmp_path: Path) -> None:
    assert cgroup.memory_limit(tmp_path) is None
    assert cgroup.cpu_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("usage", "stat", "left"),
    [
        (str(3 * GIB), f"anon 1\ninactive_file {GIB}\n", 2 * GIB),
        (str(5 * GIB), "anon 1\n", 0),
        ("broken", "", None),
    ],
)
def test_what_a_group_may_still_take_counts_droppable_files(
    tmp_path: Path, usage: str, stat: str, left: int | None
) -> None:
    lay(tmp_path, {"memory.current": usage, "memory.stat": stat})
    limit = cgroup.MemoryLimit(4 * GIB, tmp_path, version=2)
    assert limit.available_bytes() == left


def test_memory_seen_from_inside_a_group_is_what_the_group_leaves(tmp_path: Path) -> None:
    lay(tmp_path, {"memory.current": str(GIB), "memory.stat": ""})
    sample = memory.MemorySample(64 * GIB, 60 * GIB, 0, 0)
    inside = memory.within(sample, cgroup.MemoryLimit(4 * GIB, tmp_path, version=2))
    assert (inside.total_bytes, inside.available_bytes) == (4 * GIB, 3 * GIB)
    assert memory.within(sample, None) is sample


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [(8, "max 100000", 8), (8, "150000 100000", 2), (2, "800000 100000", 2), (4, "5000 100000", 1)],
)
def test_usable_cores_respect_affinity_and_quota(
    tmp_path: Path, allowed: int, quota: str, cores: int
) -> None:
    root = lay(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/cpu.max": quota,
        },
    )
    assert inventory.usable_cores(root, allowed=allowed) == cores
