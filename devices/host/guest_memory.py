"""What one guest's memory costs the host: what it wrote, its share of what it has in common.

A guest's proportional memory (PSS) falls as siblings are added, for they divide what all share.
What one more guest takes is what it does not share with everybody: `one_more_kib`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GuestMemory:
    """Sums over a process's mappings in KiB, as smaps_rollup names them (proc(5)).

    `anonymous_kib` is what it maps of memory that is no file's, whoever else does, and
    `anonymous_pss_kib` its proportional part of that. A page a guest writes becomes anonymous, of
    a file that it maps privately too: what is left is there for all (qemu's own, the template's).
    """

    pss_kib: int
    anonymous_kib: int
    anonymous_pss_kib: int
    swapped_kib: int = 0
    page_tables_kib: int = 0

    @property
    def total_kib(self) -> int:
        """Pss + SwapPss: what it uses now, shared pages divided among their users."""
        return self.pss_kib + self.swapped_kib

    def one_more_kib(self, sharers: int) -> int:
        """What another guest like it would take, `sharers` being how many share with all.

        A page that all share is no cost of one more: its part of the PSS, a `sharers`-th, is left
        out. Pages shared by fewer (merged with some siblings' only) make the answer too large
        rather than too small.
        """
        by_all = 0.0
        if sharers > 1:
            by_all = (self.anonymous_kib - self.anonymous_pss_kib) / (1 - 1 / sharers)
        own = self.anonymous_pss_kib - by_all / max(1, sharers)
        return max(0, round(own)) + self.swapped_kib + self.page_tables_kib


@dataclass(frozen=True, kw_only=True)
class GuestCost:
    """One guest: its age when it was measured, when that was, and what another like it would take.

    `measured_at_s` is on the clock of `devices.host.guests.since_boot_s`.
    """

    age_s: float
    measured_at_s: float
    one_more_kib: int


_NAMES = ("Pss", "Pss_Anon", "Anonymous", "SwapPss")


def parse(smaps_rollup: str, status: str = "") -> GuestMemory:
    """From the texts of /proc/PID/smaps_rollup and /proc/PID/status; ValueError without a Pss."""
    kib: dict[str, int] = {}
    for line in smaps_rollup.splitlines():
        name, _, value = line.partition(":")
        if name in _NAMES:
            kib[name] = int(value.split()[0])
    if "Pss" not in kib:
        raise ValueError("smaps_rollup has no line Pss")
    tables = 0
    for line in status.splitlines():
        if line.startswith("VmPTE:"):
            tables = int(line.split()[1])
    anonymous = kib.get("Anonymous", kib["Pss"])
    # kernels before 5.4 do not tell them apart
    return GuestMemory(
        pss_kib=kib["Pss"],
        anonymous_kib=anonymous,
        anonymous_pss_kib=kib.get("Pss_Anon", min(anonymous, kib["Pss"])),
        swapped_kib=kib.get("SwapPss", 0),
        page_tables_kib=tables,
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
