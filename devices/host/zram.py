"""Compressed swap in memory: what it holds and how well it compresses.

Names and meanings: Documentation/admin-guide/blockdev/zram.rst.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ZramSample:
    """One zram device; a size of zero means that it is there but not set up.

    `ratio` is original to compressed size, None while the device holds nothing.
    """

    name: str
    algorithm: str
    size_bytes: int
    original_bytes: int
    compressed_bytes: int
    used_bytes: int
    ratio: float | None


def parse(name: str, disksize: str, mm_stat: str, comp_algorithm: str) -> ZramSample:
    """A sample from the texts of a device's files; the algorithm in use stands in brackets."""
    original, compressed, used = (int(column) for column in mm_stat.split()[:3])
    chosen = comp_algorithm.partition("[")[2].partition("]")[0] or comp_algorithm.strip()
    return ZramSample(
        name=name,
        algorithm=chosen,
        size_bytes=int(disksize),
        original_bytes=original,
        compressed_bytes=compressed,
        used_bytes=used,
        ratio=round(original / compressed, 3) if compressed else None,
    )


def read(root: Path = Path("/")) -> tuple[ZramSample, ...] | None:
    """Every zram device, in order of name, or None when there is none."""
    found: list[ZramSample] = []
    for folder in sorted((root / "sys/block").glob("zram*")):
        with contextlib.suppress(OSError, ValueError):
            found.append(
                parse(
                    folder.name,
                    (folder / "disksize").read_text(),
                    (folder / "mm_stat").read_text(),
                    (folder / "comp_algorithm").read_text(),
                )
            )
    return tuple(found) or None
