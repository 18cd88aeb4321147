"""`fleet events`: what happens, as it happens."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.arguments import count, event
from fleetdash.cli.errors import Unreachable

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet

KINDS = ("device", "host", "operation")
PATIENCE_S = 60.0
PAUSE_S = 1.0


@dataclass(frozen=True)
class Said:
    """A message of the stream; `id` is empty where it has none."""

    kind: str
    id: str
    value: dict[str, Any]


def register(commands: Commands) -> None:
    """Add this command."""
    events = commands.add_parser("events", help="follow what happens, until Ctrl-C")
    events.add_argument("--kind", action="append", choices=KINDS, help="only these")
    events.add_argument("--serial", metavar="SERIAL", help="only of this device")
    events.add_argument(
        "--after", type=event, metavar="ID", default="", help="begin behind this event"
    )
    events.add_argument("--limit", type=count, metavar="N", help="end after so many")
    events.add_argument("--json", action="store_true", dest="as_json", help="a line of JSON each")
    events.set_defaults(run=_follow)


def messages(lines: Iterator[str]) -> Iterator[Said]:
    """The messages in the lines of a stream; comments and what is not known is left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield Said(
                fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])
            )
        fields = {}


def _follow(fleet: Fleet, given: argparse.Namespace) -> int:
    left = given.limit
    for said in _all(fleet, given):
        line = json.dumps({"event": said.kind, **said.value}) if given.as_json else _line(said)
        print(line, flush=True)
        if left is not None:
            left -= 1
            if left <= 0:
                break
    return 0


def _all(fleet: Fleet, given: argparse.Namespace) -> Iterator[Said]:
    """All messages; a connection that ends is made again and goes on where the last ended."""
    last_id, heard_at = given.after, time.monotonic()
    while True:
        try:
            with fleet.lines(
                "events", last_id=last_id, kind=given.kind, serial=given.serial
            ) as lines:
                for said in messages(lines):
                    last_id, heard_at = said.id or last_id, time.monotonic()
                    yield said
                heard_at = time.monotonic()
        except Unreachable as error:
            if time.monotonic() - heard_at > PATIENCE_S:
                raise
            print(f"fleet: {error} Trying again.", file=sys.stderr)
        time.sleep(PAUSE_S)


def _line(said: Said) -> str:
    value = said.value
    if said.kind == "operation":
        return text.clean(
            f"operation {value['id']}: {text.kind(value)}, {value['state']}, {text.progress(value)}"
        )
    if said.kind == "reset":
        return text.clean(value["detail"])
    move = f"{value['from_state'] or '·'} → {value['to_state']}" if value["to_state"] else ""
    who = f"by {value['actor']}" if value["actor"] else ""
    about = value["serial"] or value["host"] or "-"
    parts = [text.moment(value["at"]), about, move, value["text"], who]
    return text.clean("  ".join(part for part in parts if part))
