"""What arguments may be, and those that several commands share."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

MOST = 10_000
STATES = (
    "requested",
    "spawning",
    "booting",
    "online",
    "offline",
    "rebooting",
    "updating",
    "powering_off",
    "off",
    "stopping",
    "gone",
    "failed",
)
# the options that say which devices, as the API calls them
FILTERS = (
    "search", "state", "host", "architecture", "firmware", "slot", "start", "tag", "older",
    "younger",
)  # fmt: skip


def count(value: str) -> int:
    """A whole number from 1 to 10,000."""
    if value.isascii() and value.isdigit() and len(value) < 9 and 1 <= int(value) <= MOST:
        return int(value)
    raise argparse.ArgumentTypeError(f"{value[:40]!r} is not a whole number from 1 to {MOST:,}")


def seconds(value: str) -> float:
    """A time in seconds, from 0 to a day."""
    with contextlib.suppress(ValueError):
        if 0 <= (number := float(value)) <= 86_400:
            return number
    raise argparse.ArgumentTypeError(f"{value[:40]!r} is not a time of 0 to 86,400 seconds")


def number(value: str) -> int:
    """The number of an operation or of a token."""
    if value.isascii() and value.isdigit() and len(value) < 19 and int(value):
        return int(value)
    raise argparse.ArgumentTypeError(f"{value[:40]!r} is not a number from 1 on")


def event(value: str) -> str:
    """The number of an event, or 0 for all that are kept."""
    if value.isascii() and value.isdigit() and len(value) < 19:
        return value
    raise argparse.ArgumentTypeError(f"{value[:40]!r} is not the number of an event")


def word(value: str) -> str:
    """What devices must be; an empty one, as of a variable that is not set, would mean more."""
    if all(each.strip() for each in value.split(",")):
        return value
    raise argparse.ArgumentTypeError(
        "it is empty, which would mean more devices: give a value, or leave it out"
    )


def words(value: str) -> str:
    """A text to be looked for, as `word`; commas are part of it."""
    return value if value.strip() else word("")


def add_json(command: argparse.ArgumentParser) -> None:
    """Have the command answer in JSON when asked to."""
    command.add_argument("--json", action="store_true", dest="as_json", help="for programs")


def add_filters(command: argparse.ArgumentParser) -> None:
    """Have the command take what devices must be; one given twice is an alternative."""
    which = command.add_argument_group(
        "which devices", "each option given must hold; given twice, either value does"
    )
    which.add_argument(
        "--search", type=words, metavar="TEXT", help="in serial, host, tag, reason, version"
    )
    which.add_argument(
        "--state", action="append", choices=STATES, metavar="STATE", help=", ".join(STATES)
    )
    for name, text in (
        ("host", "on this host"),
        ("architecture", "arm64 or x64"),
        ("firmware", "with this version"),
    ):
        which.add_argument(
            f"--{name}", action="append", type=word, metavar=name.upper(), help=text
        )
    which.add_argument("--slot", action="append", choices=("a", "b"), help="running from it")
    which.add_argument(
        "--start", action="append", choices=("cold", "warm"), help="how it came up last"
    )
    which.add_argument(
        "--tag", action="append", type=word, metavar="TAG",
        help="with this tag; given twice, with both",
    )  # fmt: skip
    for name in ("older", "younger"):
        which.add_argument(
            f"--{name}", type=word, metavar="AGE", help=f"{name} than 90s, 5m, 2h, 1d or 1w"
        )


def filters(given: argparse.Namespace) -> dict[str, Any]:
    """What `add_filters` read, as the API takes it; empty for none."""
    values = {name: getattr(given, name, None) for name in FILTERS}
    return {name: value for name, value in values.items() if value is not None}
