"""Commands that look: `status`, `ls`, `show`, `console`."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fleetdash.cli import text
from fleetdash.cli.arguments import add_filters, add_json, filters

if TYPE_CHECKING:
    from fleetdash.cli.arguments import Commands
    from fleetdash.cli.client import Fleet


def register(commands: Commands) -> None:
    """Add these commands."""
    status = commands.add_parser("status", help="say how the fleet is")
    add_json(status)
    status.set_defaults(run=_status)

    ls = commands.add_parser("ls", help="list devices")
    add_filters(ls)
    ls.add_argument("--count", action="store_true", help="only how many")
    add_json(ls)
    ls.set_defaults(run=_ls)

    show = commands.add_parser("show", help="show one device")
    show.add_argument("serial", metavar="SERIAL")
    show.add_argument("--console", action="store_true", help="what it printed, at most 64 KiB")
    add_json(show)
    show.set_defaults(run=_show, check=_check_show)

    console = commands.add_parser("console", help="what a device printed, at most 64 KiB")
    console.add_argument("serial", metavar="SERIAL")
    console.set_defaults(run=_console)


def _ls(fleet: Fleet, given: argparse.Namespace) -> int:
    query = filters(given)
    if given.count:
        found = fleet.get("devices/count", **query)
        print(text.as_json(found) if given.as_json else found["count"])
        return 0
    devices = list(fleet.devices(**query))
    if given.as_json:
        text.print_json(devices)
    elif devices:
        rows = [
            (
                d["serial"],
                d["state"],
                text.moment(d["state_since"]),
                d["host"],
                d["architecture"],
                d["start"],
                d["reported_version"] or "-",
                " ".join(d["tags"]) or "-",
                d["reason"],
            )
            for d in devices
        ]
        heading = (
            "SERIAL", "STATE", "SINCE (UTC)", "HOST", "ARCH", "START", "FIRMWARE", "TAGS", "REASON",
        )  # fmt: skip
        print(text.columns(heading, rows))
    elif query:
        print("No device matches.")
    else:
        print("No devices yet. Add some: bin/fleet add 10")
    return 0


def _path(serial: str) -> str:
    return f"devices/{quote(serial, safe='')}"


def _console(fleet: Fleet, given: argparse.Namespace) -> int:
    output = fleet.text(f"{_path(given.serial)}/console")
    safe = text.clean(output.replace("\r\n", "\n"), keep="\n\t")
    sys.stdout.write(safe if sys.stdout.isatty() else output)
    return 0


def _check_show(given: argparse.Namespace) -> None:
    if given.console and given.as_json:
        raise argparse.ArgumentTypeError("a console is plain text: leave out --json or --console")


def _show(fleet: Fleet, given: argparse.Namespace) -> int:
    if given.console:
        return _console(fleet, given)
    device = fleet.get(_path(given.serial))
    if given.as_json:
        text.print_json(device)
        return 0
    reason = f" ({device['reason']})" if device["reason"] else ""
    firmware = f"{device['firmware']} {device['firmware_sha256'][:12]}"
    reported = f"{device['reported_version'] or '-'} in slot {device['reported_slot'] or '-'}"
    lines = [
        ("serial", device["serial"]),
        ("state", f"{device['state']} since {text.moment(device['state_since'])}{reason}"),
        ("host", device["host"]),
        ("start", device["start"]),
        ("firmware", f"{device['architecture']} {firmware}"),
        ("tags", " ".join(device["tags"]) or "-"),
        ("reported", reported),
        ("last heard", text.moment(device["last_heard_at"])),
        ("process", device["pid"] or "-"),
    ]
    for name, value in lines:
        print(f"{name:<11}{text.clean(value)}")
    print("\nwhat happened (UTC)")
    for event in reversed(device["events"]):
        move = f"{event['from_state'] or '·'} → {event['to_state'] or '·'}"
        print(text.clean(f"  {text.moment(event['at'])}  {move}  {event['text']}").rstrip())
    if device["command_line"]:
        print("\ncommand line")
        print(text.clean("  " + " \\\n    ".join(_arguments(device["command_line"])), keep="\n"))
    return 0


def _arguments(command_line: list[str]) -> list[str]:
    """A line for each option with its value."""
    lines: list[str] = []
    for argument in map(shlex.quote, command_line):
        if lines and lines[-1].startswith("-") and " " not in lines[-1] and argument[0] != "-":
            lines[-1] += f" {argument}"
        else:
            lines.append(argument)
    return lines


def _status(fleet: Fleet, given: argparse.Namespace) -> int:
    summary = fleet.get("summary")
    if given.as_json:
        text.print_json(summary)
        return 0
    print(f"{summary['online']} online of {summary['total']}; {summary['fits']} more fit")
    for notice in summary["notices"]:
        print(text.clean(f"{text.moment(notice['at'])} {notice['host']}: {notice['text']}"))
    others = {s: n for s, n in summary["counts"].items() if n and s not in {"online", "gone"}}
    if others:
        print("  " + ", ".join(f"{n} {state}" for state, n in others.items()))
    for host in summary["hosts"]:
        print(text.clean(_host(host)))
        for sentence in host["missing_protections"]:
            print(text.clean(f"  not protected: {sentence}"))
        for sentence in host["shortcomings"]:
            print(text.clean(f"  lacking: {sentence}"))
    for operation in summary["operations"]:
        if operation["state"] == "running":
            said = f"{text.kind(operation)}, {text.progress(operation)}"
            print(f"operation {operation['id']}: {said}")
    for firmware in summary["firmwares"]:
        print(text.clean(f"firmware {firmware['version']} for {firmware['architecture']}"))
    return 0


def _host(host: dict[str, Any]) -> str:
    said = f"{host['name']}: {host['architecture']}, {host['cores']} cores, "
    said += text.gib(host["memory_bytes"])
    proofs = [
        f"{proof.get('accelerator')} for {architecture}"
        for architecture, proof in host["accelerators"].items()
        if isinstance(proof, dict) and proof.get("accelerator")
    ]
    if proofs:
        said += f"; {', '.join(proofs)}"
    sample = host["sample"]
    if sample is None:
        return f"{said}; its poller is silent"
    said += f"; {text.gib(sample['memory']['available_bytes'])} free"
    return f"{said}, load {sample['load']['one']:.1f}" if sample.get("load") else said

