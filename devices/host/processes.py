"""What our own processes use, by the records in `var/run` that say which they are."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ProcessUse:
    """One process: seconds of processor time since its start, and memory that it has in use."""

    name: str
    cpu_s: float
    rss_bytes: int
    threads: int

    def to_json(self) -> dict[str, Any]:
        """The use in JSON's types, named as the fields are."""
        return asdict(self)


def read(run: Path, root: Path = Path("/")) -> list[ProcessUse]:
    """What each recorded process that runs uses, by name; those that have ended are left out."""
    found = []
    for record in sorted(run.glob("*.json")):
        try:
            written = json.loads(record.read_text())
            name, pid, started = str(written["name"]), int(written["pid"]), written["start_time"]
            use = _use(name, (root / f"proc/{pid}/stat").read_text(), started)
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            continue  # it ended while it was looked at, or the record is none of a process
        if use is not None:
            found.append(use)
    return found


def _use(name: str, stat: str, started: int) -> ProcessUse | None:
    """The use from the text of /proc/PID/stat (proc_pid_stat(5)); None for another process."""
    fields = stat.rpartition(")")[2].split()
    if int(fields[19]) != started:
        return None
    return ProcessUse(
        name=name,
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND,
        rss_bytes=int(fields[21]) * _PAGE,
        threads=int(fields[17]),
    )
