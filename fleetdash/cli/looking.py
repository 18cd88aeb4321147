"""Commands that look: `ls`, `show`, `status`, `wait`."""

from __future__ import annotations

import json
import shlex
import sys
import time
from typing import Any

from fleetdash.cli import text
from fleetdash.cli.client import Fleet
from fleetdash.cli.errors import Unreachable

POLL_S = 0.5


def print_json(value: Any) -> None:
    """Print a value as JSON for programs."""
    print(json.dumps(value, indent=2))


def ls(fleet: Fleet, *, state: str, search: str, as_json: bool) -> int:
    """List devices."""
    devices = list(fleet.devices(state=state, search=search))
    if as_json:
        print_json(devices)
    elif devices:
        rows = [
            (
                d["serial"],
                d["state"],
                text.moment(d["state_since"]),
                d["host"],
                d["start"],
                d["reported_version"] or "-",
                d["reason"],
            )
            for d in devices
        ]
        heading = ("SERIAL", "STATE", "SINCE (UTC)", "HOST", "START", "FIRMWARE", "REASON")
        print(text.columns(heading, rows))
    elif state or search:
        print("No device matches.")
    else:
        print("No devices yet. Add some: bin/fleet add 10")
    return 0


def show(fleet: Fleet, serial: str, *, console: bool, as_json: bool) -> int:
    """Show one device, or what it printed."""
    from urllib.parse import quote

    path = f"devices/{quote(serial, safe='')}"
    if console:
        output = fleet.text(f"{path}/console")
        safe = text.clean(output.replace("\r\n", "\n"), keep="\n\t")
        sys.stdout.write(safe if sys.stdout.isatty() else output)
        return 0
    device = fleet.get(path)
    if as_json:
        print_json(device)
        return 0
    reason = f" ({device['reason']})" if device["reason"] else ""
    firmware = f"{device['firmware']} {device['firmware_sha256'][:12]}"
    reported = f"{device['reported_version'] or '-'} in slot {device['reported_slot'] or '-'}"
    lines = [
        ("serial", device["serial"]),
        ("state", f"{device['state']} since {text.moment(device['state_since'])}{reason}"),
        ("host", device["host"]),
        ("start", device["start"]),
        ("firmware", firmware),
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


def status(fleet: Fleet, *, as_json: bool) -> int:
    """Say how the fleet is."""
    summary = fleet.get("summary")
    if as_json:
        print_json(summary)
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
            print(f"operation {operation['id']}: {operation['kind']}, {text.progress(operation)}")
    if summary["firmware"]:
        firmware = summary["firmware"]
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


def wait(fleet: Fleet, *, online: int, timeout_s: float) -> int:
    """Wait until so many devices are online; 1 when they are not in time."""
    began_at = time.monotonic()
    said: int | None = None
    summary: dict[str, Any] | None = None
    trouble: Unreachable | None = None
    while True:
        try:
            summary, trouble = fleet.get("summary"), None
        except Unreachable as error:  # it may be restarting; the time limit decides
            trouble = error
        waited_s = time.monotonic() - began_at
        if summary is not None and trouble is None:
            if summary["online"] >= online:
                print(f"{summary['online']} online after {text.seconds(waited_s)}")
                return 0
            if summary["online"] != said:
                said = summary["online"]
                print(f"{said} of {online} online", flush=True)
        if waited_s >= timeout_s:
            break
        time.sleep(min(POLL_S, max(0.05, timeout_s - waited_s)))
    if trouble is not None or summary is None:
        raise trouble or Unreachable("Nothing was heard of the fleet.")
    others = {s: n for s, n in summary["counts"].items() if n and s not in {"online", "gone"}}
    rest = ", ".join(f"{n} {state}" for state, n in others.items()) or "there are no others"
    print(
        f"fleet: Only {summary['online']} of {online} devices are online after "
        f"{text.seconds(timeout_s)}: {rest}.",
        file=sys.stderr,
    )
    return 1
