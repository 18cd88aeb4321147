"""The load averages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LoadSample:
    """Tasks running or in uninterruptible sleep over 1, 5 and 15 minutes, and tasks in all."""

    one: float
    five: float
    fifteen: float
    tasks: int


def parse(loadavg: str) -> LoadSample:
    """A sample from the text of /proc/loadavg (proc_loadavg(5))."""
    one, five, fifteen, running_of_all, _ = loadavg.split()
    return LoadSample(
        one=float(one),
        five=float(five),
        fifteen=float(fifteen),
        tasks=int(running_of_all.partition("/")[2]),
    )


def read(root: Path = Path("/")) -> LoadSample:
    """The load averages now."""
    return parse((root / "proc/loadavg").read_text())
