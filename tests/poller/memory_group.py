"""A control group that may hold so much memory, in which the kernel kills for want of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# version 1, then version 2: where groups are made, and the files that have the limit and that
# which, 0, keeps what does not fit from being swapped out instead
_PLACES = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.swappiness"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max"),
)


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[Path]:
    """The group's `cgroup.procs`; skips the test where no such group can be made."""
    for root, limit, swapping in _PLACES:
        group = root / f"fleetdash-test-{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(limit_bytes))
            # missing where the kernel accounts for no swap, or has none
            with contextlib.suppress(OSError):
                (group / swapping).write_text("0")
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        try:
            yield group / "cgroup.procs"
        finally:
            group.rmdir()
        return
    pytest.skip("needs the right to make a control group with a memory limit")
