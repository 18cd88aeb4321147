"""Setting the kernel's merging, of which a machine has one: who may, and what was there before.

One process of the machine holds it at a time, by a lock that ends with the process. What was set
before the first holder is written down first and put back by whoever finds the lock free.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from devices.host.errors import CannotMerge
from devices.host.inventory import boot_id
from devices.host.ksm_pace import turn

FOLDER = Path("run/fleetdash")
_SETTINGS = Path("sys/kernel/mm/ksm")
# In the order they are put back: an advisor sets the pace itself and refuses to be given one.
_KEPT = ("run", "advisor_mode", "sleep_millisecs", "pages_to_scan")
_RECORD = "ksm.json"
_LOCK = "ksm.lock"


class KsmControl:
    """The kernel's merging, held by this process until `release` or its end."""

    def __init__(self, root: Path, lock_fd: int) -> None:
        """Use `take`."""
        self._folder = root / _SETTINGS
        self._lock_fd = lock_fd
        self._written: tuple[int, int] | None = None

    def merge(self, core_share: float, pages_per_cpu_s: float) -> None:
        """Let ksmd use this share of a core; raises CannotMerge."""
        self.merge_at(*turn(core_share, pages_per_cpu_s))

    def merge_at(self, pages_to_scan: int, sleep_ms: int) -> None:
        """Let ksmd look at so many pages and then rest for so long; raises CannotMerge."""
        pace = (pages_to_scan, sleep_ms)
        if pace != self._written:
            _write(self._folder, "pages_to_scan", str(pages_to_scan))
            _write(self._folder, "sleep_millisecs", str(sleep_ms))
        if self._written is None:
            _write(self._folder, "run", "1")
        self._written = pace

    def rest(self) -> None:
        """Have ksmd stand still; what is merged stays merged. Raises CannotMerge."""
        self._written = None
        _write(self._folder, "run", "0")

    def release(self) -> None:
        """Let somebody else hold it; what was set before is not put back."""
        os.close(self._lock_fd)


def why_not(root: Path = Path("/")) -> str:
    """Why merging cannot be set here, as a sentence; empty when it can."""
    run = root / _SETTINGS / "run"
    if not run.exists():
        return "This kernel cannot merge equal memory (CONFIG_KSM)."
    if not os.access(run, os.W_OK):
        return "Merging takes root and a writable /sys; ksmd is left as it is."
    return ""


def before(root: Path = Path("/")) -> dict[str, str] | None:
    """What was set before the first holder, by the kernel's names; None when there was none."""
    known = _recorded(root)
    if known is None:
        return None
    return {name: value for name, value in known.items() if value is not None}


def take(root: Path = Path("/")) -> KsmControl | None:
    """Hold the machine's merging, standing still; None while another process holds it.

    Raises CannotMerge, with a sentence, on a kernel without merging or for want of rights.
    """
    problem = why_not(root)
    if problem:
        raise CannotMerge(problem)
    folder = root / _SETTINGS
    lock_fd = _lock(root)
    if lock_fd is None:
        return None
    try:
        if _recorded(root) is None:
            _record(root, {name: _read(folder, name) for name in _KEPT})
        control = KsmControl(root, lock_fd)
        control.rest()
        if _read(folder, "advisor_mode") not in (None, "none"):
            _write(folder, "advisor_mode", "none")
    except (OSError, CannotMerge) as error:
        os.close(lock_fd)
        raise CannotMerge(f"The kernel's merging cannot be set: {error}") from None
    return control


@dataclass(frozen=True)
class Restored:
    """What became of the settings there were: put back, and a sentence when that failed."""

    done: bool
    problem: str = ""


def restore(root: Path = Path("/")) -> Restored:
    """Put back what was set before the first holder, unless a process still holds it."""
    before = _recorded(root)
    if before is None:
        return Restored(done=False)
    lock_fd = _lock(root)
    if lock_fd is None:
        return Restored(done=False)
    try:
        _write(root / _SETTINGS, "run", "0")
        # an advisor in force refuses a pace
        if before.get("advisor_mode") is not None:
            _write(root / _SETTINGS, "advisor_mode", "none")
        for name in reversed(_KEPT):
            value = before.get(name)
            if value is not None:
                _write(root / _SETTINGS, name, value)
        (root / FOLDER / _RECORD).unlink(missing_ok=True)
    except (OSError, CannotMerge) as error:
        return Restored(done=False, problem=f"The kernel's merging is not as it was: {error}")
    finally:
        os.close(lock_fd)
    return Restored(done=True)


def _lock(root: Path) -> int | None:
    """The lock's descriptor, or None while another process has it."""
    folder = root / FOLDER
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock_fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_fd)
        return None
    return lock_fd


def _recorded(root: Path) -> dict[str, str | None] | None:
    """What is written down of this boot; None when there is nothing that can be used."""
    try:
        found = json.loads((root / FOLDER / _RECORD).read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("boot_id") != boot_id(root):
        return None
    before = found.get("before")
    return before if isinstance(before, dict) else None


def _record(root: Path, before: dict[str, str | None]) -> None:
    record = root / FOLDER / _RECORD
    new = record.with_suffix(".new")
    new.write_text(json.dumps({"boot_id": boot_id(root), "before": before}) + "\n")
    os.replace(new, record)


def _read(folder: Path, name: str) -> str | None:
    """A setting; of several words the one in brackets. None where the kernel has no such file."""
    try:
        text = (folder / name).read_text().strip()
    except FileNotFoundError:
        return None
    return text.partition("[")[2].partition("]")[0] or text


def _write(folder: Path, name: str, value: str) -> None:
    try:
        (folder / name).write_text(value)
    except OSError as error:
        raise CannotMerge(f"{folder / name} does not take {value!r} ({error.strerror}).") from None
