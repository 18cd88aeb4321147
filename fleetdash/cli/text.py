"""Plain text for people: columns, durations, sizes; nothing a device said moves the cursor."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

GIB = 1 << 30
AT_ONCE_S = 1.0
# what a device is once an operation is done with it
DONE = {
    "add": "online",
    "remove": "removed",
    "reboot": "rebooted",
    "shut_down": "shut down",
    "power_off": "off",
    "power_on": "online",
    "tag": "tagged",
}


def as_json(value: Any) -> str:
    """The value as JSON, for programs."""
    return json.dumps(value, indent=2)


def print_json(value: Any) -> None:
    """Print a value as JSON for programs."""
    print(as_json(value))


def clean(value: object, *, keep: str = "") -> str:
    """The value as text without control characters, save those in `keep`."""
    return "".join(
        c if c in keep or unicodedata.category(c) not in {"Cc", "Cf", "Cs"} else "�"
        for c in str(value)
    )


def columns(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under a heading, in columns as wide as they need."""
    cells = [list(heading), *([clean(value) for value in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(heading))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def seconds(value: float | None) -> str:
    """A duration: `3.2 s`, `47 s`, `2 min 5 s`; `?` when unknown."""
    if value is None:
        return "?"
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 99.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def gib(value: float) -> str:
    """A size in bytes as GiB."""
    return f"{value / GIB:.1f} GiB"


def moment(value: str | None) -> str:
    """An ISO 8601 time to the second, in UTC; `-` for none."""
    return "-" if value is None else value[:19].replace("T", " ")


def progress(operation: dict[str, Any]) -> str:
    """Where an operation is, in a line."""
    ended = operation["done"] + operation["failed"] + operation["cancelled"]
    said = f"{operation['done']:,} of {ended + operation['pending']:,} {done_word(operation)}"
    for name in ("failed", "cancelled"):
        if operation[name]:
            said += f", {operation[name]:,} {name}"
    if operation["state"] == "running":
        if operation["rate_per_s"] and not _at_once(operation):
            said += f", {operation['rate_per_s']:.1f}/s"
        if operation["eta_s"] is not None:
            said += f", {seconds(operation['eta_s'])} left"
        if operation.get("held"):
            said += f"; {clean(operation['held'])}"
    return said


def outcome(operation: dict[str, Any]) -> str:
    """How an operation ended, in a line."""
    said = f"{progress(operation)} in {seconds(operation['seconds'])}"
    if operation["done"] > 1 and not _at_once(operation):
        said += f" ({operation['rate_per_s']:.1f}/s, half by {seconds(operation['p50_s'])}, "
        said += f"95 % by {seconds(operation['p95_s'])})"
    if operation["note"]:
        said += f"; {clean(operation['note'])}"
    return said


def _at_once(operation: dict[str, Any]) -> bool:
    """Whether what was done took no time to speak of, so that a rate would say nothing."""
    p95_s = operation["p95_s"]
    return operation["kind"] == "tag" or (p95_s is not None and p95_s < AT_ONCE_S)


def done_word(operation: dict[str, Any]) -> str:
    """What a device is once the operation is done with it."""
    return DONE.get(operation["kind"], "done")


def kind(operation: dict[str, Any]) -> str:
    """What an operation does, in words: `shut down`."""
    return str(operation["kind"]).replace("_", " ")
