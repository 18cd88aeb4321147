"""One bin/up or bin/down at a time on a fleet: a lock that ends with the processes that hold it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetdash.deploy.errors import DeployError

FILE = "up-or-down.lock"
# tells the second half of bin/up which open file is the lock it shares
VARIABLE = "FLEETDASH_LOCK_FD"


@contextmanager
def held(var: Path) -> Iterator[int]:
    """Hold the lock of the fleet in `var` and give its descriptor, which no program inherits.

    Raises DeployError where another holds it, or the folder cannot be had.
    """
    lock_fd = _open(var)
    try:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployError(
                f"Another bin/up or bin/down is at work here (process {_signature(lock_fd)}): wait "
                "for its end, or end it, then try again."
            ) from None
        _sign(lock_fd)
        yield lock_fd
    finally:
        os.close(lock_fd)


def share() -> None:
    """Hold on, as the process that was given the lock by `VARIABLE`, until this one ends.

    What it starts does not hold it.
    """
    given = os.environ.pop(VARIABLE, "")
    if given:
        os.set_inheritable(int(given), False)
        _sign(int(given))


def _open(var: Path) -> int:
    try:
        var.mkdir(parents=True, exist_ok=True)
        return os.open(var / FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DeployError(
            f"The folder {var} cannot be written to: {error.strerror}. "
            "Choose a folder you may write to with FLEETDASH_VAR."
        ) from None


def _sign(lock_fd: int) -> None:
    os.pwrite(lock_fd, f"{os.getpid():<10}\n".encode(), 0)


def _signature(lock_fd: int) -> str:
    return os.pread(lock_fd, 11, 0).decode(errors="replace").strip()
