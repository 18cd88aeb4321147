"""The commands, their arguments and their statuses: 0 done, 1 not done, 2 asked wrongly."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from fleetdash.cli import address, host
from fleetdash.cli.errors import CliError

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


def parser() -> argparse.ArgumentParser:
    """The arguments `bin/fleet` takes."""
    top = argparse.ArgumentParser(
        prog="fleet",
        description="Control a fleet of devices.",
        epilog="FLEETDASH_URL and FLEETDASH_TOKEN say which fleet; else it is this machine's.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    add = commands.add_parser("add", help="add devices and wait until they are online")
    add.add_argument("count", type=count, metavar="N", help="how many, 1 to 10,000")
    add.add_argument("--cold", action="store_true", help="start them through the boot-loader")
    remove = commands.add_parser("remove", help="remove so many devices, or those named")
    remove.add_argument(
        "which",
        nargs="+",
        metavar="N|SERIAL",
        help="how many (failed ones first, then the newest), or serials",
    )
    for begins in (add, remove):
        begins.add_argument("--no-wait", action="store_true", help="begin and return")

    ls = commands.add_parser("ls", help="list devices")
    ls.add_argument("--state", choices=STATES, default="", metavar="STATE", help=", ".join(STATES))
    ls.add_argument("--search", default="", metavar="TEXT", help="in serial, host, reason, version")
    show = commands.add_parser("show", help="show one device")
    show.add_argument("serial", metavar="SERIAL")
    show.add_argument("--console", action="store_true", help="what it printed, at most 64 KiB")
    status = commands.add_parser("status", help="say how the fleet is")
    for looks in (ls, show, status):
        looks.add_argument("--json", action="store_true", dest="as_json", help="for programs")

    wait = commands.add_parser("wait", help="wait until devices are online")
    wait.add_argument("--online", type=count, required=True, metavar="N", help="at least so many")
    wait.add_argument("--timeout", type=seconds, default=600.0, metavar="S", help="default 600 s")
    rehearse = commands.add_parser(
        "rehearse", help="try the show: check the fleet, add, look, remove, say what is not right"
    )
    rehearse.add_argument(
        "--count", type=count, default=10, metavar="N",
        help="add 1, 10, 100, … up to N (default 10)",
    )  # fmt: skip
    rehearse.add_argument("--json", action="store_true", dest="as_json", help="for programs")
    host.add_to(commands)
    cancel = commands.add_parser("cancel", help="stop starting what has not started yet")
    cancel.add_argument("operation", type=operation, metavar="ID")
    return top


def operation(value: str) -> int:
    """The number of an operation."""
    if value.isascii() and value.isdigit() and len(value) < 19 and int(value):
        return int(value)
    raise argparse.ArgumentTypeError(f"{value[:40]!r} is not the number of an operation")


def wish_to_remove(which: Sequence[str]) -> dict[str, Any]:
    """What to ask for: by count when one number is given, else by serial."""
    if len(which) == 1 and which[0].lstrip("+-").replace(".", "", 1).isdigit():
        return {"kind": "remove", "count": count(which[0])}
    if any(word.isdigit() for word in which):
        raise argparse.ArgumentTypeError("give either one number or serials, not both")
    return {"kind": "remove", "serials": list(which)}


def main(argv: Sequence[str]) -> int:
    """Run one command; gives its status."""
    arguments = parser()
    given = arguments.parse_args(argv)
    try:
        wish: dict[str, Any] = {}
        if given.command == "add":
            wish = {"kind": "add", "count": given.count}
            if given.cold:
                wish["start"] = "cold"
        elif given.command == "remove":
            wish = wish_to_remove(given.which)
    except argparse.ArgumentTypeError as error:
        arguments.error(str(error))
    try:
        return _run(given, wish)
    except CliError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # whoever read the output has had enough; Python must not complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _run(given: argparse.Namespace, wish: dict[str, Any]) -> int:
    where = address.find(os.environ)
    # after the cheap refusals: these take most of the start-up time
    from fleetdash.cli import looking, text
    from fleetdash.cli.client import Fleet
    from fleetdash.cli.watch import watch

    fleet = Fleet(where)
    match given.command:
        case "add" | "remove":
            begun = fleet.begin(wish)
            if given.no_wait:
                print(f"operation {begun['id']}: {text.progress(begun)}")
                return 0
            return watch(fleet, begun)
        case "ls":
            return looking.ls(fleet, state=given.state, search=given.search, as_json=given.as_json)
        case "show":
            return looking.show(fleet, given.serial, console=given.console, as_json=given.as_json)
        case "status":
            return looking.status(fleet, as_json=given.as_json)
        case "wait":
            return looking.wait(fleet, online=given.online, timeout_s=given.timeout)
        case "rehearse":
            from fleetdash.cli.rehearse import rehearse

            return rehearse(fleet, count=given.count, as_json=given.as_json)
        case "host":
            return host.run(fleet, given)
        case "cancel":
            print(text.progress(fleet.cancel(given.operation)))
            return 0
    raise AssertionError(given.command)
