"""Pressure stall information: how long tasks waited for CPU, memory and disk.

An optional signal: many kernels have it compiled in and switched off
(Documentation/accounting/psi.rst).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PsiSample:
    """Per cent of the last ten seconds in which some, or all (`full`), tasks waited."""

    cpu_some: float
    memory_some: float
    memory_full: float
    io_some: float
    io_full: float


def parse(text: str) -> dict[str, float]:
    """`some` and `full` → per cent over ten seconds, from one file of /proc/pressure."""
    averages: dict[str, float] = {}
    for line in text.splitlines():
        kind, *fields = line.split()
        for field in fields:
            name, _, value = field.partition("=")
            if name == "avg10":
                averages[kind] = float(value)
    return averages


def read(root: Path = Path("/")) -> PsiSample | None:
    """The pressure now, or None where the kernel does not measure it."""
    folder = root / "proc/pressure"
    try:
        cpu, memory, io = (parse((folder / name).read_text()) for name in ("cpu", "memory", "io"))
        return PsiSample(
            cpu_some=cpu["some"],
            memory_some=memory["some"],
            memory_full=memory["full"],
            io_some=io["some"],
            io_full=io["full"],
        )
    except (OSError, KeyError):
        return None
