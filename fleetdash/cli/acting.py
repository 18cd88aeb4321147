"""Commands that do something with devices: reboot, power, tags, removal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleetdash.cli.arguments import add_filters, count, filters
from fleetdash.cli.beginning import add_waiting, begin
from fleetdash.cli.errors import CliError

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet

# command, kind, what help says, what a question calls it
ACTIONS = (
    ("reboot", "reboot", "have devices start again through the boot-loader", "Reboot"),
    ("shut-down", "shut_down", "ask devices to end themselves in order", "Shut down"),
    ("power-off", "power_off", "end devices at once, as if the plug were pulled", "Power off"),
    ("power-on", "power_on", "start devices that are off", "Power on"),
)


def register(commands: Commands) -> None:
    """Add these commands."""
    for name, kind, text, verb in ACTIONS:
        _add_action(commands, name, kind, text, verb, "SERIAL", "the devices")
    _add_action(
        commands, "remove", "remove", "remove so many devices, or those named", "Remove",
        "N|SERIAL", "how many (failed ones first, then the newest), or serials",
    )
    for name, text in (("tag", "give devices a tag"), ("untag", "take a tag from devices")):
        command = _add_action(commands, name, "tag", text, "", "SERIAL", "the devices")
        command.add_argument(
            "--name", action="append", required=True, metavar="TAG", dest="tags",
            help="the tag; more than one may be given",
        )


def _add_action(
    commands: Commands, name: str, kind: str, text: str, verb: str, metavar: str, which: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    command.add_argument("which", nargs="*", metavar=metavar, help=which)
    add_filters(command)
    command.add_argument("--all", action="store_true", help="every device")
    command.add_argument("--yes", action="store_true", help="do not ask")
    add_waiting(command)
    command.set_defaults(run=_act, check=_check, kind=kind, verb=verb)
    return command


def _check(given: argparse.Namespace) -> None:
    matching = filters(given)
    ways = [bool(given.which), bool(matching), given.all]
    if sum(ways) != 1:
        raise argparse.ArgumentTypeError(
            "name devices, or say which by options such as --state and --tag, or --all"
        )
    if "gone" in matching.get("state", ()):
        raise argparse.ArgumentTypeError("nothing can be done to devices that are gone")
    given.wish = {"kind": given.kind, **_which(given.kind, given.which, matching)}
    if given.command in {"tag", "untag"}:
        given.wish["add_tags" if given.command == "tag" else "remove_tags"] = given.tags


def _which(kind: str, words: Sequence[str], matching: dict[str, Any]) -> dict[str, Any]:
    if not words:
        return {"matching": matching}
    if kind == "remove" and len(words) == 1 and _is_like_a_number(words[0]):
        return {"count": count(words[0])}
    if any(word.isdigit() for word in words):
        raise argparse.ArgumentTypeError(
            "give either one number or serials, not both"
            if kind == "remove"
            else "devices are named by their serials; only remove takes how many"
        )
    return {"serials": list(words)}


def _is_like_a_number(word: str) -> bool:
    return word.lstrip("+-").replace(".", "", 1).isdigit()


def _act(fleet: Fleet, given: argparse.Namespace) -> int:
    if "matching" in given.wish and given.verb and not given.yes:
        found = fleet.get("devices/count", **given.wish["matching"])["count"]
        if not found:
            raise CliError("No device matches: nothing was begun.")
        devices = "device" if found == 1 else "devices"
        if not _agreed(f"{given.verb} {found:,} {devices}?"):
            print("Nothing was done.", file=sys.stderr)
            return 1
        given.wish["confirmed"] = found
    return begin(fleet, given.wish, given)


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CliError(f"{question} Say so with --yes: there is nobody to ask.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
