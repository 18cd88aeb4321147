"""What one guest's memory costs the host: its own pages, its share of others', its page tables.

A guest's proportional memory (PSS) falls as siblings are added, for they divide what all share.
What one more guest takes is what it does not share with everybody: `one_more_kib`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GuestMemory:
    """Sums over a process's mappings in KiB, as smaps_rollup names them (proc(5)).

    `private_kib` is what nobody else maps; `clean_kib` the part of it that lies in a file too.
    """

    pss_kib: int
    private_kib: int
    shared_kib: int
    clean_kib: int = 0
    swapped_kib: int = 0
    page_tables_kib: int = 0

    @property
    def total_kib(self) -> int:
        """Pss + SwapPss: what it uses now, shared pages divided among their users."""
        return self.pss_kib + self.swapped_kib

    def one_more_kib(self, sharers: int) -> int:
        """What another guest like it would take, `sharers` being those who share with all.

        A page all of them share is no cost of one more, and its part of the PSS, a `sharers`-th, is
        left out; a page shared by a few counts with what it would then still cost. Nor is an
        unwritten page of a file (qemu's own, the template's), which is there for all. Never less
        than what is this guest's alone.
        """
        shared_by_few = self.pss_kib - self.private_kib - self.shared_kib // max(1, sharers)
        own = self.private_kib - self.clean_kib + self.swapped_kib + self.page_tables_kib
        return own + max(0, shared_by_few)


@dataclass(frozen=True, kw_only=True)
class GuestCost:
    """One guest: its age when it was measured, and what another like it would take."""

    age_s: float
    one_more_kib: int


_NAMES = {
    "Pss": "pss",
    "Private_Clean": "private",
    "Private_Dirty": "private",
    "Shared_Clean": "shared",
    "Shared_Dirty": "shared",
    "SwapPss": "swapped",
}


def parse(smaps_rollup: str, status: str = "") -> GuestMemory:
    """From the texts of /proc/PID/smaps_rollup and /proc/PID/status; ValueError without a Pss."""
    kib = dict.fromkeys(_NAMES.values(), 0)
    clean = 0
    seen = set()
    for line in smaps_rollup.splitlines():
        name, _, value = line.partition(":")
        if name in _NAMES:
            kib[_NAMES[name]] += int(value.split()[0])
            seen.add(name)
        if name == "Private_Clean":
            clean = int(value.split()[0])
    if "Pss" not in seen:
        raise ValueError("smaps_rollup has no line Pss")
    tables = 0
    for line in status.splitlines():
        if line.startswith("VmPTE:"):
            tables = int(line.split()[1])
    return GuestMemory(
        kib["pss"], kib["private"], kib["shared"], clean, kib["swapped"], tables
    )


def read(pid: int, root: Path = Path("/")) -> GuestMemory | None:
    """A process's memory now; None when it is gone or not ours to look at.

    Dear: the kernel walks every page of the process.
    """
    folder = root / f"proc/{pid}"
    try:
        return parse((folder / "smaps_rollup").read_text(), (folder / "status").read_text())
    except (OSError, ValueError):
        return None
