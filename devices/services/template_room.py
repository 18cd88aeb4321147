"""Whether there is memory for a template, which is held for as long as clones may come."""

from __future__ import annotations

from django.conf import settings

from devices.errors import Unavailable
from devices.host import cgroup, memory
from devices.services import starting

# qemu itself, beside the memory of the guest in it
PROCESS_MIB = 64


def check(retry_s: float) -> None:
    """Raises Unavailable without memory to make or load one, which is tried again by then."""
    free = free_mib()
    if free < needed_mib():
        raise Unavailable(
            f"A template takes up to {needed_mib():,} MiB and {free:,} MiB of memory are free. It "
            f"is tried again every {retry_s / 60:.0f} minutes; end what takes the memory."
        )


def is_short() -> bool:
    """Whether so little is free above the reserve that what a template holds is missed."""
    return free_mib() < settings.MEMORY_RESERVE_MIB + needed_mib()


def needed_mib() -> int:
    """What a template takes at the most."""
    return starting.WARM_SHAPE.memory_mib + PROCESS_MIB


def free_mib() -> int:
    """What is free within the control group's limit."""
    return memory.read(limit=cgroup.memory_limit()).available_bytes >> 20
