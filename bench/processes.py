"""What fleetdash's own processes cost: CPU, memory and open files, found by their records."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# what the "control plane" is; the supervisor, beat and the watchdog are counted beside it
CONTROL_PLANE = ("web", "gateway", "worker", "control", "poller", "redis")


@dataclass(frozen=True)
class Cost:
    """CPU seconds used since the process began, and PSS + SwapPss (shared pages divided) in KiB."""

    cpu_s: float
    pss_kib: int


def recorded(var: Path) -> dict[str, int]:
    """Our processes by name, from their records; those that are not running are left out."""
    found = {}
    for record in sorted((var / "run").glob("*.json")):
        values = json.loads(record.read_text())
        pid = values.get("pid") if isinstance(values, dict) else None
        if isinstance(pid, int) and Path(f"/proc/{pid}").exists():
            found[record.stem] = pid
    return found


def cpu_s(pid: int) -> float:
    """User and system time of a process, all its threads; raises OSError once it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_kib(pid: int) -> int:
    """PSS and SwapPss of a process; raises OSError once it is gone."""
    return sum(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith(("Pss:", "SwapPss:"))
    )


def cost(pid: int) -> Cost:
    """What a process costs; none of ours does its work in children."""
    return Cost(cpu_s(pid), pss_kib(pid))


def open_files(pid: int) -> dict[str, int]:
    """How many descriptors a process has open: `files` in all, `sockets` among them."""
    targets = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            targets.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:  # closed since
            continue
    return {"files": len(targets), "sockets": sum(t.startswith("socket:") for t in targets)}


def tree(roots: Iterable[int]) -> set[int]:
    """These processes and all below them."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found
