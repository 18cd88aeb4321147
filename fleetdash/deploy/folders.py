"""The folders below `var`, their owners and modes, as docs/architecture.md has them."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import NamedTuple

from fleetdash.deploy import ownership, users
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import FLEET_USER


class Folder(NamedTuple):
    """A folder's mode and owner; `group` and `owner` are `root` or `fleetdash`."""

    mode: int
    owner: str = "root"
    group: str = "root"


FOLDERS: dict[str, Folder] = {
    ".": Folder(0o755),
    "cache": Folder(0o755),
    "firmware": Folder(0o755),
    "guests": Folder(0o700),
    "db": Folder(0o700, FLEET_USER, FLEET_USER),
    "redis": Folder(0o700, FLEET_USER, FLEET_USER),
    "secrets": Folder(0o750, "root", FLEET_USER),
    "static": Folder(0o755),
    # the supervisor's control socket lies in run
    "run": Folder(0o711),
    "run/supervisor": Folder(0o700),
    "log": Folder(0o700),
}


def make(var: Path, *, as_root: bool) -> None:
    """Make the folders, and give each its owner and mode; raises DeployError.

    What the fleet's user is to write to was perhaps made by an earlier start as somebody else, so
    its folders are given with all they hold. Without root everything belongs to the caller.
    """
    for name, folder in FOLDERS.items():
        path = var / name
        try:
            path.mkdir(parents=True, exist_ok=True)
            if as_root:
                os.chown(path, _uid(folder.owner), _gid(folder.group))
            if stat.S_IMODE(path.stat().st_mode) != folder.mode:
                path.chmod(folder.mode)
            if as_root and folder.owner == FLEET_USER:
                ownership.give(path, _uid(folder.owner), _gid(folder.group))
        except OSError as error:
            raise DeployError(
                f"The folder {path} cannot be made ready: {error.strerror}. Choose a folder you "
                "may write to with FLEETDASH_VAR, or correct its owner."
            ) from None


def make_secret_key(var: Path, *, as_root: bool) -> None:
    """Draw the key that signs sessions, once; the fleet's user may read it, not change it."""
    file = var / "secrets" / "secret_key"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(48) + "\n", mode=0o640)
    if as_root:
        os.chown(file, 0, _gid(FLEET_USER))


def write_private(file: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file that never was readable to more than `mode` allows; atomic."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        os.fchmod(descriptor, mode)
        opened.write(text)
    os.replace(new, file)


def _uid(name: str) -> int:
    return 0 if name == "root" else users.user(name).pw_uid


def _gid(name: str) -> int:
    return 0 if name == "root" else users.user(name).pw_gid
