"""`fleet history`: figures over time."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.arguments import add_json, count

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet

WINDOWS = ("hour", "day", "week")


def register(commands: Commands) -> None:
    """Add this command."""
    history = commands.add_parser("history", help="show figures over time")
    history.add_argument("--host", metavar="NAME", help="of this host; else of the whole fleet")
    history.add_argument("--window", choices=WINDOWS, default="hour", help="default hour")
    history.add_argument(
        "--figure", action="append", metavar="NAME", help="only these; all when left out"
    )
    history.add_argument(
        "--limit", type=count, default=20, metavar="N", help="the newest N moments (default 20)"
    )
    add_json(history)
    history.set_defaults(run=_show)


def _show(fleet: Fleet, given: argparse.Namespace) -> int:
    found = fleet.get("history", series=given.host, window=given.window)
    if given.as_json:
        text.print_json(found)
        return 0
    figures: dict[str, Any] = found["figures"]
    names = [name for name in given.figure or figures if name in figures]
    if not names or not found["at"]:
        known = ", ".join(figures) or "none yet"
        print(f"There is nothing of these figures; there are: {known}.")
        return 0
    rows = [
        (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
         *(_figure(figures[name]["mean"][place]) for name in names))
        for place, at in list(enumerate(found["at"]))[-given.limit :]
    ]  # fmt: skip
    print(text.columns(("AT (UTC)", *(name.upper() for name in names)), rows))
    return 0


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")
