"""Waiting until devices are online."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from fleetdash.cli import text
from fleetdash.cli.errors import Unreachable

if TYPE_CHECKING:
    from fleetdash.cli.client import Fleet

POLL_S = 0.5


def wait(fleet: Fleet, *, online: int, timeout_s: float, as_json: bool = False) -> int:
    """Wait until so many devices are online; 1 when they are not in time.

    As JSON it says once, at the end, how many are.
    """
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
                if as_json:
                    _print_json(summary, online, waited_s)
                else:
                    print(f"{summary['online']} online after {text.seconds(waited_s)}")
                return 0
            if summary["online"] != said and not as_json:
                said = summary["online"]
                print(f"{said} of {online} online", flush=True)
        if waited_s >= timeout_s:
            break
        time.sleep(min(POLL_S, max(0.05, timeout_s - waited_s)))
    if trouble is not None or summary is None:
        raise trouble or Unreachable("Nothing was heard of the fleet.")
    if as_json:
        _print_json(summary, online, waited_s)
    others = {s: n for s, n in summary["counts"].items() if n and s not in {"online", "gone"}}
    rest = ", ".join(f"{n} {state}" for state, n in others.items()) or "there are no others"
    print(
        f"fleet: Only {summary['online']} of {online} devices are online after "
        f"{text.seconds(timeout_s)}: {rest}.",
        file=sys.stderr,
    )
    return 1


def _print_json(summary: dict[str, Any], wanted: int, waited_s: float) -> None:
    reached = summary["online"] >= wanted
    text.print_json({
        "online": summary["online"], "wanted": wanted, "reached": reached,
        "seconds": round(waited_s, 3), "counts": summary["counts"],
    })  # fmt: skip
