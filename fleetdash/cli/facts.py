"""Commands that tell what there is: `hosts`, `firmware`, `tags`, `capacity`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fleetdash.cli import text
from fleetdash.cli.arguments import add_json

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet

MIB = 1 << 20


def register(commands: Commands) -> None:
    """Add these commands."""
    for name, said, run in (
        ("hosts", "list the machines that run devices", _hosts),
        ("firmware", "list what devices run", _firmware),
        ("tags", "list tags", _tags),
        ("capacity", "say how many devices fit", _capacity),
    ):
        command = commands.add_parser(name, help=said)
        add_json(command)
        command.set_defaults(run=run)
        if name == "capacity":
            command.add_argument("--cold", action="store_true", help="started so")
            command.add_argument(
                "--arch", choices=("arm64", "x64"), default="arm64", help="of this architecture"
            )


def _hosts(fleet: Fleet, given: argparse.Namespace) -> int:
    hosts = fleet.get("hosts")["hosts"]
    if given.as_json:
        text.print_json(hosts)
        return 0
    rows = []
    for host in hosts:
        sample = host["sample"] or {}
        memory = sample.get("memory")
        free = text.gib(memory["available_bytes"]) if memory else "silent"
        load = f"{sample['load']['one']:.1f}" if sample.get("load") else "-"
        rows.append(
            (host["name"], host["architecture"], host["cores"], text.gib(host["memory_bytes"]),
             free, load, host["kernel_release"])
        )  # fmt: skip
    heading = ("HOST", "ARCHITECTURE", "CORES", "MEMORY", "FREE", "LOAD", "KERNEL")
    print(text.columns(heading, rows) if rows else "No hosts yet: run bin/up on a machine.")
    return 0


def _firmware(fleet: Fleet, given: argparse.Namespace) -> int:
    firmware = fleet.get("firmware")["firmware"]
    if given.as_json:
        text.print_json(firmware)
        return 0
    rows = [
        (f["architecture"], f["version"], f["sha256"][:12], f"{f['size_bytes'] / MIB:.0f} MiB",
         text.moment(f["imported_at"]), f["devices"])
        for f in firmware
    ]  # fmt: skip
    heading = ("ARCHITECTURE", "VERSION", "SHA-256", "SIZE", "IMPORTED (UTC)", "DEVICES")
    print(text.columns(heading, rows) if rows else "No firmware yet: bin/up builds it.")
    return 0


def _tags(fleet: Fleet, given: argparse.Namespace) -> int:
    tags = fleet.get("tags")["tags"]
    if given.as_json:
        text.print_json(tags)
    elif tags:
        print(text.columns(("TAG", "DEVICES"), [(t["name"], t["devices"]) for t in tags]))
    else:
        print("No tags yet. Give one: bin/fleet tag --name TAG SERIAL")
    return 0


def _capacity(fleet: Fleet, given: argparse.Namespace) -> int:
    room = fleet.get(
        "capacity", start="cold" if given.cold else "warm", architecture=given.arch
    )
    if given.as_json:
        text.print_json(room)
        return 0
    print(f"{room['fits']:,} more devices fit beside {room['devices']:,}")
    cost = f"one takes {room['device_cost_bytes'] / MIB:.1f} MiB ({room['cost_source']})"
    print(text.clean(f"  {cost}; {text.gib(room['free_bytes'])} are free, of which "
                     f"{text.gib(room['reserve_bytes'])} are kept in reserve"))
    if room["waiting"]:
        print(text.clean(f"  {room['waiting']}"))
    return 0
