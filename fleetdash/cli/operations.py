"""Commands about operations: `operations`, `operation`, `cancel`, `undo`, `retry`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.arguments import add_json, count, number
from fleetdash.cli.beginning import add_waiting, follow

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet

KINDS = ("add", "remove", "reboot", "shut_down", "power_off", "power_on", "tag")
STATES = ("running", "succeeded", "partly", "failed", "cancelled")
OUTCOMES = ("pending", "done", "failed", "cancelled")


def register(commands: Commands) -> None:
    """Add these commands."""
    several = commands.add_parser("operations", help="list what was asked, newest first")
    several.add_argument("--kind", action="append", choices=KINDS)
    several.add_argument("--state", action="append", choices=STATES)
    several.add_argument("--actor", metavar="NAME", help="asked by this person")
    several.add_argument("--limit", type=count, default=20, metavar="N", help="default 20")
    add_json(several)
    several.set_defaults(run=_list)

    one = commands.add_parser("operation", help="show an operation and its devices")
    one.add_argument("operation", type=number, metavar="ID")
    one.add_argument("--outcome", choices=OUTCOMES, help="only devices with this outcome")
    add_json(one)
    one.set_defaults(run=_show)

    cancel = commands.add_parser("cancel", help="leave alone what has not begun yet")
    cancel.add_argument("operation", type=number, metavar="ID")
    add_json(cancel)
    cancel.set_defaults(run=_cancel)

    for name, said in (
        ("undo", "take back what an operation did"),
        ("retry", "ask the same again of the devices on which it failed"),
    ):
        again = commands.add_parser(name, help=said)
        again.add_argument("operation", type=number, metavar="ID")
        add_waiting(again)
        again.set_defaults(run=_again)


def _list(fleet: Fleet, given: argparse.Namespace) -> int:
    query = {"kind": given.kind, "state": given.state, "actor": given.actor}
    found = fleet.some("operations", "operations", given.limit, **query)
    if given.as_json:
        text.print_json(found)
        return 0
    rows = [
        (o["id"], text.kind(o), o["count"], o["state"], o["actor"] or "-",
         text.moment(o["created_at"]), text.seconds(o["seconds"]), text.progress(o))
        for o in found
    ]  # fmt: skip
    heading = ("ID", "KIND", "COUNT", "STATE", "BY", "ASKED (UTC)", "TOOK", "PROGRESS")
    print(text.columns(heading, rows) if rows else "No operation matches.")
    return 0


def _show(fleet: Fleet, given: argparse.Namespace) -> int:
    operation = fleet.get(f"operations/{given.operation}")
    path = f"operations/{given.operation}/devices"
    devices: list[dict[str, Any]] = list(fleet.each(path, "devices", outcome=given.outcome))
    if given.as_json:
        text.print_json({**operation, "devices": devices})
        return 0
    asked = f"asked by {operation['actor'] or 'nobody known'} at "
    asked += f"{text.moment(operation['created_at'])} (UTC)"
    print(text.clean(f"operation {operation['id']}: {text.kind(operation)}, {asked}"))
    print(text.clean(f"{operation['state']}: {text.outcome(operation)}"))
    rows = [(d["serial"], d["outcome"], text.moment(d["ended_at"]), d["reason"]) for d in devices]
    if rows:
        print(text.columns(("SERIAL", "OUTCOME", "ENDED (UTC)", "REASON"), rows))
    return 0


def _cancel(fleet: Fleet, given: argparse.Namespace) -> int:
    cancelled = fleet.post(f"operations/{given.operation}/cancel")
    if given.as_json:
        text.print_json(cancelled)
    else:
        print(text.progress(cancelled))
    return 0


def _again(fleet: Fleet, given: argparse.Namespace) -> int:
    return follow(fleet, fleet.post(f"operations/{given.operation}/{given.command}"), given)
