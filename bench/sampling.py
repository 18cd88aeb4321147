"""What the fleet and the machine look like, once a second, kept as rows of a CSV file."""

from __future__ import annotations

import contextlib
import csv
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import cpu
from bench.cpu import Meter
from bench.errors import BenchError
from bench.fleet import RunningFleet
from bench.presence import Presence
from devices.host import ksm, memory
from devices.states import STARTING

MIB = 1 << 20
EVERY_S = 1.0
COLUMNS = (
    "seconds", "phase", "online", "starting", "failed", "total", "heard_in_60s", "oldest_heard_s",
    "available_mib", "swap_used_mib", "ksm_saved_mib", "ksm_profit_mib",
    "cpu_total", "cpu_guests", "cpu_control_plane", "cpu_ksmd", "cpu_browser", "cpu_bench",
)  # fmt: skip

Row = dict[str, Any]


def host_now() -> Row:
    """Memory and merging of this machine, in MiB; None for what it does not have."""
    free, merged = memory.read(), ksm.read()
    profit = None if merged is None else merged.general_profit_bytes
    return {
        "available_mib": round(free.available_bytes / MIB),
        "swap_used_mib": round((free.swap_total_bytes - free.swap_free_bytes) / MIB),
        "ksm_saved_mib": None if merged is None else round(merged.saved_bytes / MIB),
        "ksm_profit_mib": None if profit is None else round(profit / MIB),
    }


def cpu_columns(groups: dict[str, float]) -> Row:
    """Per cent of one core, as the columns have it."""
    return {
        "cpu_control_plane": round(cpu.control_plane(groups), 2),
        **{f"cpu_{name}": round(groups[name], 2) for name in cpu.OTHERS if name in groups},
    }


@dataclass
class Sampler:
    """Looks every second in a thread of its own; `phase` is written into each row.

    CPU is that of the second before, in per cent of one core.
    """

    fleet: RunningFleet
    meter: Meter
    presence: Presence
    phase: str = "empty"
    rows: list[Row] = field(default_factory=list)
    missed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _paused: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _began: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Sampler:
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Look at nothing meanwhile."""
        self._paused.set()
        time.sleep(2 * EVERY_S)  # a look that has begun comes to its end
        try:
            yield
        finally:
            self._paused.clear()

    def seconds(self) -> float:
        """Seconds since the beginning, as the rows count them."""
        return time.monotonic() - self._began

    def rest(self, seconds: float, *, check: Callable[[], None] = lambda: None) -> list[Row]:
        """Wait; gives the rows of that time."""
        first = len(self.rows)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            check()
            time.sleep(max(0.0, min(0.5, until - time.monotonic())))
        return self.rows[first:]

    def _run(self) -> None:
        at, before = time.monotonic(), self.meter.read()
        due = at
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + EVERY_S, time.monotonic())
            if self._paused.is_set():
                continue
            try:
                now, after = time.monotonic(), self.meter.read()
                if now - at > 0.2:
                    self.rows.append(self._row(cpu.percent(before, after, now - at)))
                    at, before = now, after
            except (BenchError, OSError):  # overloaded, or just restarted: the next may tell
                self.missed += 1

    def _row(self, groups: dict[str, float]) -> Row:
        summary, heard = self.fleet.get("summary"), self.presence.look()
        return {
            "seconds": round(self.seconds(), 1),
            "phase": self.phase,
            "online": summary["online"],
            "starting": sum(summary["counts"][state] for state in STARTING),
            "failed": summary["counts"]["failed"],
            "total": summary["total"],
            "heard_in_60s": heard.in_last_minute,
            "oldest_heard_s": heard.oldest_s,
            **host_now(),
            **cpu_columns(groups),
        }


def write(rows: list[Row], file: Path) -> None:
    """Write rows as CSV; what a row does not have is empty."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def read(file: Path) -> list[Row]:
    """Rows of a CSV file; raises BenchError when it cannot be read."""
    try:
        with file.open(newline="") as lines:
            return [
                {name: _value(name, text) for name, text in row.items()}
                for row in csv.DictReader(lines)
            ]
    except (OSError, ValueError) as error:
        raise BenchError(f"{file} cannot be read: {error}") from error


def _value(name: str, text: str) -> Any:
    return text if name == "phase" else (float(text) if text else None)


def mean(rows: list[Row], column: str) -> float | None:
    """The mean of a column, None without a value."""
    found = [row[column] for row in rows if row.get(column) is not None]
    return sum(found) / len(found) if found else None
