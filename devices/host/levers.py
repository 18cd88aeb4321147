"""What can be set on a machine that runs guests: how it is now, what that does, whether it may be.

KSM merges equal memory, a zram swap keeps in compressed memory what is hardly used, and swappiness
(`vm.swappiness`) says how readily the kernel swaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.host import kernel_settings, ksm, ksm_control, ksmd, memory, zram, zram_swap

SWAPPINESS = "vm/swappiness"
LEAST_SWAPPINESS, MOST_SWAPPINESS = 0, 200
LEAST_PAGES, MOST_PAGES = 1, 100_000
LEAST_SLEEP_MS, MOST_SLEEP_MS = 1, 60_000
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One lever as the machine has it, in plain values.

    `before` is what was there before fleetdash changed it, None while it has not. `refused` says
    why it cannot be changed here; empty when it can.
    """

    present: dict[str, Any] | None
    before: dict[str, Any] | None
    effect: dict[str, Any]
    limits: dict[str, Any]
    refused: str


def read_ksm(root: Path = Path("/"), *, ksmd_pid: int | None = None) -> Reading:
    """The kernel's merging; `ksmd_pid` is its thread's number where that is known."""
    sample = ksm.read(root)
    before = ksm_control.before(root)
    limits = {
        "pages_to_scan": [LEAST_PAGES, MOST_PAGES], "sleep_ms": [LEAST_SLEEP_MS, MOST_SLEEP_MS],
    }
    return Reading(
        present=None if sample is None else {
            "run": sample.run,
            "pages_to_scan": sample.pages_to_scan,
            "sleep_ms": sample.sleep_ms,
        },
        before=None if before is None else {
            "run": int(before["run"]),
            "pages_to_scan": int(before["pages_to_scan"]),
            "sleep_ms": int(before["sleep_millisecs"]),
            "advisor": before.get("advisor_mode", "none"),
        },
        effect=_merged(sample, _ksmd_cpu_s(ksmd_pid, root)),
        limits=limits,
        refused=ksm_control.why_not(root),
    )


def _merged(sample: ksm.KsmSample | None, cpu_s: float | None) -> dict[str, Any]:
    if sample is None:
        return {}
    return {
        "profit_bytes": sample.general_profit_bytes,
        "saved_bytes": sample.saved_bytes,
        "pages_shared": sample.pages_shared,
        "pages_sharing": sample.pages_sharing,
        "full_scans": sample.full_scans,
        "ksmd_cpu_s": cpu_s,
    }


def _ksmd_cpu_s(pid: int | None, root: Path) -> float | None:
    if pid is None:
        return None
    try:
        return round(ksmd.cpu_s(pid, root), 1)
    except OSError:
        return None


def read_zram(maker: str, root: Path = Path("/")) -> Reading:
    """The swap in compressed memory, seen by `maker`, who may take away what he made."""
    swap = zram_swap.made(root)
    mine = zram_swap.made_by(maker, root)
    free = memory.read(root)
    device = next(
        (each for each in zram.read(root) or () if swap and f"/dev/{each.name}" == swap.device),
        None,
    )
    swapped = free.swap_total_bytes - free.swap_free_bytes
    effect: dict[str, Any] = {"swapped_bytes": swapped}
    if device is not None:
        effect |= {
            "original_bytes": device.original_bytes,
            "compressed_bytes": device.compressed_bytes,
            "used_bytes": device.used_bytes,
            "ratio": device.ratio,
        }
    return Reading(
        present={
            "size_bytes": swap.size_bytes if swap else 0,
            "algorithm": device.algorithm if device else "",
            "device": swap.device if swap else "",
        },
        before={"size_bytes": 0} if swap and mine else None,
        effect=effect,
        limits={
            "size_bytes": [zram_swap.LEAST_BYTES, free.total_bytes],
            "algorithms": list(zram_swap.algorithms(root)),
        },
        refused=zram_swap.why_not_remove(maker, root) if swap else zram_swap.why_not(root),
    )


def read_swappiness(root: Path = Path("/")) -> Reading:
    """How readily the kernel swaps out what processes hold instead of dropping read files."""
    value = kernel_settings.read(SWAPPINESS, root)
    held = kernel_settings.held(SWAPPINESS, root)
    free = memory.read(root)
    return Reading(
        present=None if value is None else {"value": int(value)},
        before=None if held is None else {"value": int(held.before)},
        effect={
            "swap_total_bytes": free.swap_total_bytes,
            "swapped_bytes": free.swap_total_bytes - free.swap_free_bytes,
        },
        limits={"value": [LEAST_SWAPPINESS, MOST_SWAPPINESS]},
        refused=kernel_settings.why_not(SWAPPINESS, root),
    )
