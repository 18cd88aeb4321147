"""Watching an operation until it ends: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from fleetdash.cli import text
from fleetdash.cli.client import Fleet
from fleetdash.cli.errors import Unreachable

POLL_S = 0.4
LINE_EVERY_S = 2.0
PATIENCE_S = 60.0
REASONS_SHOWN = 3


class Show(Protocol):
    """Something that shows where an operation is."""

    def __call__(self, operation: dict[str, Any]) -> None: ...


def watch(fleet: Fleet, operation: dict[str, Any], *, as_json: bool = False) -> int:
    """Show an operation until it ends, or give it as JSON then; gives the command's status.

    Ctrl-C leaves the operation running. A web process that restarts meanwhile is waited for.
    """
    try:
        with _nothing() if as_json else _bar() if sys.stdout.isatty() else _lines() as show:
            for now in _until_it_ends(fleet, operation):
                operation = now
                show(operation)
    except KeyboardInterrupt:
        print(
            f"\nOperation {operation['id']} goes on. "
            f"Cancel it with: bin/fleet cancel {operation['id']}",
            file=sys.stderr,
        )
        return 130
    if as_json:
        text.print_json(operation)
    else:
        print(text.outcome(operation))
        if operation["failed"]:
            _say_why(fleet, operation)
    return 0 if operation["state"] == "succeeded" else 1


def _until_it_ends(fleet: Fleet, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    heard_at = time.monotonic()
    while True:
        yield operation
        if operation["state"] != "running":
            return
        time.sleep(POLL_S)
        try:
            operation = fleet.get(f"operations/{operation['id']}")
            heard_at = time.monotonic()
        except Unreachable:
            if time.monotonic() - heard_at > PATIENCE_S:
                raise


def _say_why(fleet: Fleet, operation: dict[str, Any]) -> None:
    path = f"operations/{operation['id']}/devices"
    for device in fleet.some(path, "devices", REASONS_SHOWN, outcome="failed"):
        serial = device["serial"]
        reason = device["reason"] or fleet.get(f"devices/{serial}")["reason"]
        print(text.clean(f"  {serial}: {reason or 'no reason is known'}"))
    if operation["failed"] > REASONS_SHOWN:
        more = operation["failed"] - REASONS_SHOWN
        print(f"  and {more} more: bin/fleet operation {operation['id']} --outcome failed")


@contextmanager
def _nothing() -> Iterator[Show]:
    yield lambda operation: None


@contextmanager
def _lines() -> Iterator[Show]:
    said = ""
    said_at = 0.0

    def show(operation: dict[str, Any]) -> None:
        nonlocal said, said_at
        line = text.progress(operation)
        now = time.monotonic()
        if operation["state"] == "running" and line != said and now - said_at >= LINE_EVERY_S:
            print(f"operation {operation['id']}: {line}", flush=True)
            said, said_at = line, now

    yield show


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=None, said="")

        def show(operation: dict[str, Any]) -> None:
            ended = operation["done"] + operation["failed"] + operation["cancelled"]
            progress.update(
                task,
                description=f"{text.kind(operation)} {operation['count']}",
                total=max(1, ended + operation["pending"]),
                completed=ended,
                said=text.progress(operation),
            )

        yield show
