"""A swap in compressed memory: `bin/up` offers and makes it, `bin/down` takes it away."""

from __future__ import annotations

import os

from devices.host import memory, zram_swap
from devices.host.errors import NoZramSwap
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.progress import Progress

VARIABLE = "FLEETDASH_ZRAM"
USUAL_SIZE = "50%"
MIB = 1 << 20


def wanted_bytes(option: str | None) -> int | None:
    """The size asked for by option or environment, None when none is; raises DeployError."""
    text = option or os.environ.get(VARIABLE, "")
    if text in ("", "0", "no", "off"):
        return None
    try:
        return zram_swap.size_bytes(text, memory.read().total_bytes)
    except NoZramSwap as error:
        raise DeployError(f"{error} It was asked for with --zram or {VARIABLE}.") from None


def offer(here: Installation, progress: Progress, size_bytes: int | None) -> None:
    """Make the swap that was asked for, else say that one can be had; never fails."""
    if size_bytes is None:
        if not zram_swap.why_not():
            progress.line(
                "  (no swap here: bin/up --zram makes one in compressed memory, which bin/down "
                "takes away)"
            )
        return
    if zram_swap.made_by(here.id) and zram_swap.made() is not None:
        return
    try:
        made = zram_swap.make(size_bytes, here.id)
    except NoZramSwap as error:
        progress.line(f"  No swap in compressed memory: {error} All goes on without it.")
    else:
        size_mib = made.size_bytes // MIB
        progress.line(f"  {size_mib:,} MiB of swap in compressed memory: {made.device}")


def take_away(here: Installation, progress: Progress) -> None:
    """Take away the swap this fleet made; says so when it has to stay."""
    try:
        removed = zram_swap.remove(here.id)
    except (NoZramSwap, OSError) as error:
        progress.line(f"  {error}")
    else:
        if removed is not None:
            progress.line(f"  the swap {removed.device} is taken away")
