"""How much memory there is and how much of it is free to take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from devices.host.cgroup import MemoryLimit


@dataclass(frozen=True)
class MemorySample:
    """Memory and swap in bytes; `available` is what could be taken without swapping."""

    total_bytes: int
    available_bytes: int
    swap_total_bytes: int
    swap_free_bytes: int


def parse(meminfo: str) -> MemorySample:
    """A sample from the text of /proc/meminfo (proc_meminfo(5); its kB are KiB)."""
    kib: dict[str, int] = {}
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        kib[name] = int(value.split()[0])
    return MemorySample(
        total_bytes=kib["MemTotal"] * 1024,
        available_bytes=kib["MemAvailable"] * 1024,
        swap_total_bytes=kib["SwapTotal"] * 1024,
        swap_free_bytes=kib["SwapFree"] * 1024,
    )


def anonymous_bytes(root: Path = Path("/")) -> int:
    """Memory that processes hold and no file backs, each page counted once however often shared."""
    for line in (root / "proc/meminfo").read_text().splitlines():
        if line.startswith("AnonPages:"):
            return int(line.split()[1]) * 1024
    return 0


def within(sample: MemorySample, limit: MemoryLimit | None) -> MemorySample:
    """The same sample, no larger than a control group's limit leaves it."""
    if limit is None:
        return sample
    left = limit.available_bytes()
    return replace(
        sample,
        total_bytes=min(sample.total_bytes, limit.limit_bytes),
        available_bytes=min(sample.available_bytes, limit.limit_bytes if left is None else left),
    )


def read(root: Path = Path("/"), limit: MemoryLimit | None = None) -> MemorySample:
    """The machine's memory now, seen from inside `limit`."""
    return within(parse((root / "proc/meminfo").read_text()), limit)
