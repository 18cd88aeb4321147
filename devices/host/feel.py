"""What the host can bear: how many guests may be starting at once, how many more fit."""

from __future__ import annotations

from dataclasses import dataclass

# A cold boot under emulation keeps one core busy; two a core hide each other's waiting for disk.
STARTING_PER_CORE = 2.0
# Tasks ready to run per core, starting guests left out: up to the first nothing is held back, from
# the second on one guest at a time, for a busy host must still get on.
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

    @property
    def spare_bytes(self) -> int:
        """Free memory above the reserve; negative when the reserve is touched."""
        return self.free_memory_bytes - self.reserve_bytes


@dataclass(frozen=True)
class Width:
    """How many guests may be starting at once, and why that many."""

    guests: int
    reason: str


@dataclass(frozen=True)
class Capacity:
    """How many more devices fit, and why that many."""

    devices: int
    reason: str


def launch_width(
    feel: Feel,
    *,
    starting: int = 0,
    device_bytes: int,
    per_core: float = STARTING_PER_CORE,
) -> Width:
    """How many guests may be starting at once on a host that feels like this.

    `starting` guests are on their way already and are expected in the run queue; `device_bytes` is
    what one takes before its memory has merged; `per_core` is for guests that keep a core busy
    (a warm clone, short as it is, may have more). 0 only when memory is under the reserve.
    """
    if feel.spare_bytes < 0:
        return Width(
            0,
            f"{_mib(feel.free_memory_bytes)} of memory are free, less than the reserve of "
            f"{_mib(feel.reserve_bytes)}; launching waits for memory to merge or be given back.",
        )
    most = max(1, round(feel.cores * per_core))
    width, reason = most, f"{feel.cores} cores can start {most} guests at once."

    others_per_core = max(0.0, feel.run_queue - starting) / feel.cores
    if others_per_core > SHORT_QUEUE_PER_CORE:
        share = (LONG_QUEUE_PER_CORE - others_per_core) / (
            LONG_QUEUE_PER_CORE - SHORT_QUEUE_PER_CORE
        )
        width = max(1, round(most * share))
        reason = (
            f"{feel.run_queue - starting:.0f} other tasks queue for {feel.cores} cores; "
            f"{width} of {most} guests may start at once."
        )
    stall = feel.memory_stall_percent
    if stall is not None and stall >= MEMORY_STALL_PERCENT and width > 1:
        width = max(1, width // 2)
        reason = (
            f"Tasks waited for memory {stall:.0f} % of the last ten seconds; "
            f"{width} of {most} guests may start at once."
        )
    affordable = feel.spare_bytes // device_bytes
    if affordable < width:
        width = max(0, affordable)
        reason = (
            f"{_mib(feel.spare_bytes)} of memory are free above the reserve of "
            f"{_mib(feel.reserve_bytes)}, and a starting guest takes {_mib(device_bytes)}; "
            + (f"{width} may start at once." if width else "launching waits for memory.")
        )
    return Width(width, reason)


def capacity(feel: Feel, *, device_bytes: int, starting_bytes: int = 0) -> Capacity:
    """How many more devices fit: what is free above the reserve, shared out.

    `device_bytes` is what a device costs once its memory has merged; `starting_bytes` is what
    devices on their way will still take.
    """
    left = feel.spare_bytes - starting_bytes
    devices = max(0, left // device_bytes)
    promised = f", of which starting devices will take {_mib(starting_bytes)}"
    reason = (
        f"{_mib(feel.free_memory_bytes)} of memory are free"
        f"{promised if starting_bytes else ''}; {_mib(feel.reserve_bytes)} stay in reserve and a "
        f"device costs {_mib(device_bytes)}, so {devices} more fit."
    )
    return Capacity(devices, reason)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:,.0f} MiB"
