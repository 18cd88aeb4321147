"""Which start of the fleet this is, and whether its supervisor may be started again."""

from __future__ import annotations

import uuid
from pathlib import Path

# while it is there, nobody starts the supervisor again
_STOPPING = "stopping"
_START = "start"
# the start that has not come to its end: not all have answered, or there are no accounts yet
_UNFINISHED = "unfinished"


def stop_restarting(run: Path) -> None:
    """From now on the supervisor, when it ends, stays away."""
    (run / _STOPPING).touch()


def allow_restarting(run: Path) -> None:
    """From now on the watchdog starts a supervisor that has ended."""
    (run / _STOPPING).unlink(missing_ok=True)


def is_stopping(run: Path) -> bool:
    """Whether a supervisor that ends is to stay away."""
    return (run / _STOPPING).exists()


def begin(run: Path) -> str:
    """Write down that the fleet is started anew; gives the name of this start."""
    name = uuid.uuid4().hex
    (run / _UNFINISHED).write_text(name)
    (run / _START).write_text(name)
    return name


def finish(run: Path) -> None:
    """Write down that the present start has come to its end."""
    (run / _UNFINISHED).unlink(missing_ok=True)


def is_finished(run: Path) -> bool:
    """Whether the present start has come to its end, as far as is known.

    One by code that wrote no end down counts as such.
    """
    try:
        return (run / _UNFINISHED).read_text() != (run / _START).read_text()
    except FileNotFoundError:
        return True


def is_over(run: Path, start: str) -> bool:
    """Whether the fleet has been stopped, or started anew, since that start."""
    try:
        return is_stopping(run) or (run / _START).read_text() != start
    except FileNotFoundError:
        return True
