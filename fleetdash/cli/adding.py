"""Commands that add devices and see them come: `add`, `wait`, `rehearse`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from fleetdash.cli.arguments import add_json, count, seconds
from fleetdash.cli.beginning import add_waiting, begin

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet


def register(commands: Commands) -> None:
    """Add these commands."""
    add = commands.add_parser("add", help="add devices and wait until they are online")
    add.add_argument("count", type=count, metavar="N", help="how many, 1 to 10,000")
    add.add_argument("--cold", action="store_true", help="start them through the boot-loader")
    add.add_argument(
        "--arch", choices=("arm64", "x64"), default="", dest="architecture",
        help="what they are, arm64 unless given",
    )  # fmt: skip
    add_waiting(add)
    add.set_defaults(run=_add)

    wait = commands.add_parser("wait", help="wait until devices are online")
    wait.add_argument("--online", type=count, required=True, metavar="N", help="at least so many")
    wait.add_argument("--timeout", type=seconds, default=600.0, metavar="S", help="default 600 s")
    add_json(wait)
    wait.set_defaults(run=_wait)

    rehearse = commands.add_parser(
        "rehearse", help="try the show: check the fleet, add, look, remove, say what is not right"
    )
    rehearse.add_argument(
        "--count", type=count, default=10, metavar="N",
        help="add 1, 10, 100, … up to N (default 10)",
    )  # fmt: skip
    add_json(rehearse)
    rehearse.set_defaults(run=_rehearse)


def _add(fleet: Fleet, given: argparse.Namespace) -> int:
    wish: dict[str, Any] = {"kind": "add", "count": given.count}
    if given.cold:
        wish["start"] = "cold"
    if given.architecture:
        wish["architecture"] = given.architecture
    return begin(fleet, wish, given)


def _wait(fleet: Fleet, given: argparse.Namespace) -> int:
    from fleetdash.cli.waiting import wait

    return wait(fleet, online=given.online, timeout_s=given.timeout, as_json=given.as_json)


def _rehearse(fleet: Fleet, given: argparse.Namespace) -> int:
    from fleetdash.cli.rehearse import rehearse

    return rehearse(fleet, count=given.count, as_json=given.as_json)
