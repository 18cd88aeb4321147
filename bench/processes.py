"""What fleetdash's own processes cost: CPU and memory, found by their recorded ids."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """CPU seconds used since the process began, and PSS (shared pages divided) in KiB."""

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


def cost(pid: int) -> Cost:
    """What a process costs; none of ours does its work in children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    pss_kib = sum(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith(("Pss:", "SwapPss:"))
    )
    return Cost(cpu_s, pss_kib)
