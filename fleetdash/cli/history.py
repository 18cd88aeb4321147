"""`fleet history`: figures over time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.arguments import add_json, count
from fleetdash.cli.errors import AskedWrongly

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
    answer = fleet.get("history", series=given.host, window=given.window)
    found = _cut(answer, given.figure or list(answer["figures"]), given.limit)
    figures: dict[str, Any] = found["figures"]
    if given.as_json:
        text.print_json(found)
    elif not found["at"]:
        print("Nothing has been written yet.")
    else:
        rows = [
            (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
             *(_figure(column["mean"][place]) for column in figures.values()))
            for place, at in enumerate(found["at"])
        ]  # fmt: skip
        print(text.columns(("AT (UTC)", *(name.upper() for name in figures)), rows))
    return 0


def _cut(answer: dict[str, Any], names: Sequence[str], limit: int) -> dict[str, Any]:
    """The newest moments of these figures; raises AskedWrongly for one that there is not."""
    known: dict[str, Any] = answer["figures"]
    if known and (unknown := [name for name in names if name not in known]):
        raise AskedWrongly(
            f"There is no figure {', '.join(unknown)}; there are: {', '.join(known)}."
        )
    return answer | {
        "at": answer["at"][-limit:],
        "figures": {
            name: {what: values and values[-limit:] for what, values in known[name].items()}
            for name in names
            if name in known
        },
    }


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")
