"""Beginning an operation and seeing it through, which many commands do."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.arguments import add_json

if TYPE_CHECKING:
    from fleetdash.cli.client import Fleet


def add_waiting(command: argparse.ArgumentParser) -> None:
    """Have the command wait for the end of what it begins, or not, and answer in JSON."""
    command.add_argument("--no-wait", action="store_true", help="begin and return")
    add_json(command)


def begin(fleet: Fleet, wish: dict[str, Any], given: argparse.Namespace) -> int:
    """Ask for an operation and follow it; gives the command's status."""
    return follow(fleet, fleet.begin(wish), given)


def follow(fleet: Fleet, begun: dict[str, Any], given: argparse.Namespace) -> int:
    """Follow an operation that was begun, unless it was asked not to wait."""
    from fleetdash.cli.watch import watch

    if not given.no_wait:
        return watch(fleet, begun, as_json=given.as_json)
    if given.as_json:
        print(json.dumps(begun, indent=2))
    else:
        print(f"operation {begun['id']}: {text.progress(begun)}")
    return 0 if begun["state"] in {"running", "succeeded"} else 1
