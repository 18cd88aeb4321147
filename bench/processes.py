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
    """What a process and its children cost."""
    cpu_s, pss_kib = 0.0, 0
    for each in (pid, *_children(pid)):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        cpu_s += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss:", "SwapPss:")):
                pss_kib += int(line.split()[1])
    return Cost(cpu_s, pss_kib)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    direct = [int(child) for child in path.read_text().split()] if path.exists() else []
    return [*direct, *(grandchild for child in direct for grandchild in _children(child))]
