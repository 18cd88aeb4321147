"""Records of our own processes in `var/run`: who runs, since when, so that it can be ended."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from devices.qemu.process_identity import ProcessIdentity, end_all


@dataclass(frozen=True)
class Record:
    """A process that was started: its identity, and the Unix time of its start."""

    name: str
    boot_id: str
    pid: int
    start_time: int
    started_at: float

    @property
    def identity(self) -> ProcessIdentity:
        """The process, for certain."""
        return ProcessIdentity(self.boot_id, self.pid, self.start_time)

    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return self.identity.is_alive()


def path_of(run: Path, name: str) -> Path:
    """Where the record of a process lies."""
    return run / f"{name}.json"


def write(run: Path, name: str, pid: int) -> Record:
    """Record the process that has this number now; raises ProcessGone, OSError."""
    identity = ProcessIdentity.of(pid)
    record = Record(name, identity.boot_id, pid, identity.start_time, time.time())
    file = path_of(run, name)
    new = file.with_suffix(f".{pid}.new")
    try:
        new.write_text(json.dumps(asdict(record)))
        os.replace(new, file)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    return record


def read(run: Path, name: str) -> Record | None:
    """The record of a process, running or not; None when there is none that can be read."""
    try:
        return Record(**json.loads(path_of(run, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def living(run: Path, name: str) -> Record | None:
    """The record of a process that runs; None when it does not."""
    record = read(run, name)
    return record if record and record.is_alive() else None


def recorded(run: Path) -> list[Record]:
    """All records, running or not."""
    names = sorted(file.stem for file in run.glob("*.json"))
    return [record for record in (read(run, name) for name in names) if record]


def end(records: Iterable[Record], *, deadline_s: float) -> list[Record]:
    """End these processes: SIGTERM, then SIGKILL; gives those that survived the deadline."""
    wanted = list(records)
    survivors = set(end_all([record.identity for record in wanted], deadline_s=deadline_s))
    return [record for record in wanted if record.identity in survivors]


def remove(run: Path, name: str) -> None:
    """Forget a process."""
    with contextlib.suppress(FileNotFoundError):
        path_of(run, name).unlink()
