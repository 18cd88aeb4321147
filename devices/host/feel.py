"""What the host can bear: how many guests may be starting at once, how many more fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# A cold boot under emulation keeps one core busy; two a core hide each other's waiting for disk.
STARTING_PER_CORE = 2.0
# Tasks ready to run per core, starting guests left out: up to a short queue nothing is held back,
# from a long one on guests start one at a time, for a busy host must still get on.
SHORT_QUEUE_PER_CORE = 1.0
LONG_QUEUE_PER_CORE = 4.0
# Per cent of ten seconds in which some task waited for memory: reclaim has begun to hurt.
MEMORY_STALL_PERCENT = 10.0

_MIB = 1 << 20


@dataclass(frozen=True)
class Feel:
    """The host as a launcher needs to know it.

    `run_queue` counts tasks running or ready to, starting guests included; `memory_stall_percent`
    is PSI's `some` for memory, None where it is not measured.
    """

    free_memory_bytes: int
    reserve_bytes: int
    run_queue: float
    cores: int
    memory_stall_percent: float | None = None

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any], *, cores: int, reserve_bytes: int) -> Feel:
        """The feel in a published sample (`devices.host.sample.HostSample.to_json`).

        Raises KeyError when that is not what `sample` is.
        """
        cpu, psi = sample["cpu"], sample["psi"]
        return cls(
            free_memory_bytes=sample["memory"]["available_bytes"],
            reserve_bytes=reserve_bytes,
            run_queue=0.0 if cpu is None else cpu["run_queue"],
            cores=cores,
            memory_stall_percent=None if psi is None else psi["memory_some"],
        )

    @property
    def spare_bytes(self) -> int:
        """Free memory above the reserve; negative when the reserve is touched."""
        return self.free_memory_bytes - self.reserve_bytes


HeldBy = Literal["", "memory", "queue", "stall"]


@dataclass(frozen=True)
class Width:
    """How many guests may be starting at once, and why that many, as a sentence.

    `held_by` is what keeps it below what a calm host could start, empty on a calm one.
    """

    guests: int
    reason: str
    held_by: HeldBy = ""


def launch_width(
    feel: Feel,
    *,
    starting: int = 0,
    device_cost_bytes: int | None = None,
    per_core: float = STARTING_PER_CORE,
    least: int = 1,
) -> Width:
    """How many guests may be starting at once on a host that feels like this.

    `starting` guests are on their way already and are expected in the run queue;
    `device_cost_bytes` is what one takes before its memory has merged, when that is to hold
    launching back; `per_core` is for guests that keep a core busy while they start (a warm clone
    hardly does). A long queue holds back down to `least`. 0 only for want of memory.
    """
    if feel.spare_bytes < 0:
        return Width(
            0,
            f"{_mib(feel.free_memory_bytes)} of memory are free, less than the reserve of "
            f"{_mib(feel.reserve_bytes)}; launching waits for memory to merge or be given back.",
            "memory",
        )
    held_by: HeldBy = ""
    width = most = max(1, round(feel.cores * per_core))
    reason = f"{_many(feel.cores, 'core')} can start {_many(most, 'guest')} at once."

    others = max(0.0, feel.run_queue - starting)
    others_per_core = others / feel.cores
    if others_per_core > SHORT_QUEUE_PER_CORE:
        share = (LONG_QUEUE_PER_CORE - others_per_core) / (
            LONG_QUEUE_PER_CORE - SHORT_QUEUE_PER_CORE
        )
        width = max(min(least, most), round(most * share))
        held_by = "queue" if width < most else ""
        reason = (
            f"{others:.0f} other tasks queue for {_many(feel.cores, 'core')}; "
            f"{width} of {_many(most, 'guest')} may start at once."
        )
    stall = feel.memory_stall_percent
    if stall is not None and stall >= MEMORY_STALL_PERCENT and width > 1:
        width //= 2
        held_by = "stall"
        reason = (
            f"Tasks waited for memory {stall:.0f} % of the last ten seconds; "
            f"{width} of {_many(most, 'guest')} may start at once."
        )
    if device_cost_bytes is not None and feel.spare_bytes // device_cost_bytes < width:
        width = feel.spare_bytes // device_cost_bytes
        held_by = "memory"
        reason = (
            f"{_mib(feel.spare_bytes)} of memory are free above the reserve of "
            f"{_mib(feel.reserve_bytes)}, and a starting guest takes {_mib(device_cost_bytes)}; "
            + (f"{width} may start at once." if width else "launching waits for memory.")
        )
    return Width(width, reason, held_by)


def capacity(
    feel: Feel,
    *,
    device_cost_bytes: int,
    starting: int = 0,
    starting_cost_bytes: int | None = None,
) -> int:
    """How many more devices fit: what is free above the reserve, shared out; never negative.

    `device_cost_bytes` is what a device costs once its memory has merged. Each of `starting`
    devices will still take `starting_cost_bytes`, as much as a device when not given.
    """
    if starting_cost_bytes is None:
        starting_cost_bytes = device_cost_bytes
    left = feel.spare_bytes - starting * starting_cost_bytes
    return max(0, left // device_cost_bytes)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:,.0f} MiB"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
