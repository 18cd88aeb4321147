"""Settings of the kernel (/proc/sys) that are changed for a while and then put back.

Several may hold one setting at a time: the last wish holds, and when the last of them lets go,
what was there before the first comes back. That is written down before anything changes, in a
file that ends with the boot, so it survives whoever wrote it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from devices.host.errors import CannotSet
from devices.host.inventory import boot_id

FOLDER = Path("run/fleetdash")
_RECORD = "settings.json"
_LOCK = "settings.lock"


@dataclass(frozen=True)
class Held:
    """A setting that is held: what it was `before`, and holders' wishes; the last holds."""

    before: str
    wishes: dict[str, str]

    @property
    def value(self) -> str:
        """What the setting is to be."""
        return list(self.wishes.values())[-1] if self.wishes else self.before


def read(name: str, root: Path = Path("/")) -> str | None:
    """A setting such as `vm/swappiness`; None where the kernel has none of that name."""
    try:
        return (root / "proc/sys" / name).read_text().strip()
    except OSError:
        return None


def why_not(name: str, root: Path = Path("/")) -> str:
    """Why a setting cannot be changed here, as a sentence; empty when it can."""
    file = root / "proc/sys" / name
    if not file.exists():
        return f"This kernel has no {file}."
    if not os.access(file, os.W_OK):
        return "Changing it takes root and a writable /proc/sys."
    return ""


def held(name: str, root: Path = Path("/")) -> Held | None:
    """What is written down of a setting; None while nobody holds it."""
    return _recorded(root).get(name)


def hold(
    name: str, value: str, holder: str, root: Path = Path("/"), *, beneath: bool = False
) -> None:
    """Set a setting for `holder`, who may change his mind; raises CannotSet.

    `beneath` those who hold it already: it comes to bear once they let go.
    """
    with _locked(root):
        record = _recorded(root)
        present = read(name, root)
        if present is None:
            raise CannotSet(f"This kernel has no {name}.")
        known = record.get(name) or Held(present, {})
        others = {who: wish for who, wish in known.wishes.items() if who != holder}
        wishes = {holder: value, **others} if beneath else {**others, holder: value}
        _record(root, {**record, name: Held(known.before, wishes)})
        try:
            _write(root, name, Held(known.before, wishes).value)
        except CannotSet:
            _record(root, record)
            raise


def release(holder: str, root: Path = Path("/")) -> list[str]:
    """Let go of all that `holder` holds; gives the names of what he held.

    What somebody else has set since is left as it is. Raises CannotSet.
    """
    let_go: list[str] = []
    if holder not in {who for each in _recorded(root).values() for who in each.wishes}:
        return let_go
    with _locked(root):
        record = _recorded(root)
        for name, known in list(record.items()):
            if holder not in known.wishes:
                continue
            left = Held(known.before, {w: v for w, v in known.wishes.items() if w != holder})
            if read(name, root) == known.value != left.value:
                _write(root, name, left.value)
            record = {**record, name: left} if left.wishes else _without(record, name)
            _record(root, record)
            let_go.append(name)
    return let_go


def _without(record: dict[str, Held], name: str) -> dict[str, Held]:
    return {each: known for each, known in record.items() if each != name}


def _write(root: Path, name: str, value: str) -> None:
    file = root / "proc/sys" / name
    try:
        file.write_text(value)
    except OSError as error:
        raise CannotSet(f"{file} does not take {value!r} ({error.strerror}).") from None


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    folder = root / FOLDER
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock_fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotSet(
            f"What was set before cannot be written down in /{FOLDER} ({error.strerror}); "
            "it takes root."
        ) from None
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock_fd)


def _recorded(root: Path) -> dict[str, Held]:
    """What is written down of this boot; empty when there is nothing that can be used."""
    try:
        found = json.loads((root / FOLDER / _RECORD).read_text())
        if found["boot_id"] != boot_id(root):
            return {}
        return {
            name: Held(str(each["before"]), dict(each["wishes"]))
            for name, each in found["settings"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _record(root: Path, record: dict[str, Held]) -> None:
    file = root / FOLDER / _RECORD
    if not record:
        file.unlink(missing_ok=True)
        return
    settings = {name: asdict(known) for name, known in record.items()}
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"boot_id": boot_id(root), "settings": settings}) + "\n")
    os.replace(new, file)
