"""Kernel samepage merging: how much memory guests share, and what that is worth.

Names and meanings: Documentation/admin-guide/mm/ksm.rst.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGESIZE")
# struct ksm_rmap_item
RECORD_BYTES = 64


@dataclass(frozen=True)
class KsmSample:
    """Counters of /sys/kernel/mm/ksm; pages unless the name says bytes.

    `run` is 0 (stopped), 1 (merging) or 2 (unmerging). `general_profit_bytes` is what merging
    saved minus what its book-keeping costs: it can be negative, and is None where the kernel does
    not tell (before 6.4). `saved_bytes` leaves the cost out. `pages_scanned` counts since the
    machine started, None before Linux 6.6.
    """

    run: int
    pages_shared: int
    pages_sharing: int
    pages_unshared: int
    full_scans: int
    pages_to_scan: int
    sleep_ms: int
    general_profit_bytes: int | None
    saved_bytes: int
    pages_scanned: int | None = None
    pages_volatile: int = 0

    @property
    def records_bytes(self) -> int:
        """What the kernel remembers of pages it has looked at: 64 bytes for each of a process."""
        looked_at = self.pages_shared + self.pages_sharing + self.pages_unshared
        return RECORD_BYTES * (looked_at + self.pages_volatile)


def parse(values: dict[str, str], page_bytes: int = PAGE_BYTES) -> KsmSample:
    """A sample from file name → text; raises KeyError when an indispensable file is missing."""
    sharing = int(values["pages_sharing"])
    zero_pages = int(values.get("ksm_zero_pages", "0"))
    profit = values.get("general_profit")
    scanned = values.get("pages_scanned")
    return KsmSample(
        run=int(values["run"]),
        pages_shared=int(values["pages_shared"]),
        pages_sharing=sharing,
        pages_unshared=int(values["pages_unshared"]),
        full_scans=int(values["full_scans"]),
        pages_to_scan=int(values["pages_to_scan"]),
        sleep_ms=int(values["sleep_millisecs"]),
        general_profit_bytes=None if profit is None else int(profit),
        saved_bytes=(sharing + zero_pages) * page_bytes,
        pages_scanned=None if scanned is None else int(scanned),
        pages_volatile=int(values.get("pages_volatile", "0")),
    )


_FILES = (
    "run",
    "pages_shared",
    "pages_sharing",
    "pages_unshared",
    "full_scans",
    "pages_to_scan",
    "sleep_millisecs",
    "general_profit",
    "ksm_zero_pages",
    "pages_scanned",
    "pages_volatile",
)


def read(root: Path = Path("/")) -> KsmSample | None:
    """The counters now, or None when this kernel has no KSM."""
    folder = root / "sys/kernel/mm/ksm"
    values: dict[str, str] = {}
    for name in _FILES:
        try:
            values[name] = (folder / name).read_text()
        except OSError:
            if name == "run":
                return None
    try:
        return parse(values)
    except KeyError:
        return None
