"""`fleet rehearse`: the whole show before the show, and a line for each thing that must work."""

from __future__ import annotations

import contextlib
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from fleetdash.cli import standing, text
from fleetdash.cli.client import Fleet
from fleetdash.cli.errors import CliError, Refused, Unreachable
from fleetdash.cli.standing import Check
from fleetdash.cli.text import print_json

# looking at an operation costs the fleet the more, the larger it is
POLL_S = 0.3
POLL_S_PER_DEVICE = 0.001
# a step in which no device comes online for so long has failed
STALL_S = 90.0
PAGE_MS = 500.0
ASKED_TIMES = 5
SHOW = 1000
# what fewer take is the time in which one starts, not how many start in a time
SAYS_SOMETHING = 100


def steps(count: int) -> list[int]:
    """What is added one after the other: 1, 10, 100, … and `count` itself."""
    found = [10**power for power in range(5) if 10**power < count]
    return [*found, count]


@dataclass
class Rehearsal:
    """What was found, in order; what it added is removed by `clear`."""

    fleet: Fleet
    quiet: bool
    checks: list[Check] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    _asked: tuple[int, str] | None = None
    _running: int | None = None

    def note(self, check: Check) -> None:
        """Keep a line and say it at once."""
        self.checks.append(check)
        if not self.quiet:
            print(text.clean(f"{check.mark} {check.what:<26} {check.sentence}"), flush=True)

    def look(self, needed: int) -> bool:
        """Say how the fleet stands; whether a show can begin."""
        for check in standing.checks(self.fleet.get("summary"), needed):
            self.note(check)
        return all(check.ok is not False for check in self.checks)

    def show(self, count: int) -> bool:
        """Add that many and wait until they are online; whether all came."""
        begun = self._begun(count, str(uuid.uuid4()))
        ended = self._ended(begun)
        came = [d for d in self.fleet.devices() if d["requested_at"] == begun["created_at"]]
        self.added += [d["serial"] for d in came]
        if ended["state"] != "running":
            self._running = None
        cold = sum(d["start"] == "cold" for d in came)
        self.shown.append({
            "count": count, "online": ended["done"], "cold": cold, "seconds": ended["seconds"],
            "rate_per_s": ended["rate_per_s"], "p95_s": ended["p95_s"],
        })  # fmt: skip
        ok = bool(ended["done"] == count)
        sentence = f"{text.outcome(ended)}."
        if ended["state"] == "running":
            why = ended["held"] or "bin/fleet ls shows the states they are in."
            sentence = f"Nothing came for {STALL_S:.0f} s: {text.progress(ended)}. {why}"
        elif not ok:
            sentence += " bin/fleet ls --state failed shows why."
        elif cold:
            sentence += f" {cold} started cold: the template is not in use."
        self.note(Check(ok and not cold, f"+{count:,}", sentence))
        return ok

    def _begun(self, count: int, key: str) -> dict[str, Any]:
        """An addition that is running, so that `clear` finds it even if this does not return."""
        self._asked = (count, key)
        try:
            begun = self.fleet.begin({"kind": "add", "count": count}, key=key)
        except CliError as error:
            if not (isinstance(error, Unreachable) and error.may_be_done):
                self._asked = None
            raise
        self._running, self._asked = begun["id"], None
        return begun

    def _ended(self, operation: dict[str, Any]) -> dict[str, Any]:
        settled, moved_at = -1, time.monotonic()
        while operation["state"] == "running":
            time.sleep(max(POLL_S, POLL_S_PER_DEVICE * operation["count"]))
            operation = self.fleet.get(f"operations/{operation['id']}")
            now_settled = operation["done"] + operation["failed"] + operation["cancelled"]
            if now_settled != settled:
                settled, moved_at = now_settled, time.monotonic()
            elif time.monotonic() - moved_at > STALL_S:
                break
        return operation

    def pages(self) -> None:
        """How long pages take to answer with all of it online."""
        serial = self.added[-1]
        paths = {
            "log-in page": "/login/",
            "summary": "/api/v1/summary",
            "search": f"/api/v1/devices?search={quote(serial)}",
            "device": f"/api/v1/devices/{quote(serial)}",
        }
        slowest = {
            name: max(self.fleet.took_ms(path) for _ in range(ASKED_TIMES))
            for name, path in paths.items()
        }
        said = ", ".join(f"{name} {ms:.0f} ms" for name, ms in slowest.items())
        ok = max(slowest.values()) <= PAGE_MS
        self.note(Check(ok, "answers", f"The slowest of {ASKED_TIMES} each: {said}."))

    def estimate(self) -> None:
        """What "+1000" would take at the rate of the largest step, if that is large enough."""
        last = max(self.shown, key=lambda step: step["count"])
        if not last["rate_per_s"] or last["count"] >= SHOW:
            return
        if last["count"] < SAYS_SOMETHING:
            said = f"How long it takes is not known: try it with --count {SAYS_SOMETHING} or more."
        else:
            took = text.seconds(SHOW / last["rate_per_s"])
            said = f"About {took} at {last['rate_per_s']:.1f}/s, measured with {last['count']}."
        fits = self.fleet.get("summary")["fits"]
        room = "They fit." if fits >= SHOW else f"Only {fits:,} more fit now."
        known = fits >= SHOW and last["count"] >= SAYS_SOMETHING
        self.note(Check(True if known else None, f"+{SHOW:,}, estimated", f"{said} {room}"))

    def clear(self) -> None:
        """Remove what was added, whatever became of it."""
        if self._asked is not None:  # asked for, and the answer not heard: this gives it
            with contextlib.suppress(Refused):
                self._begun(*self._asked)
        if self._running is not None:
            with contextlib.suppress(CliError):
                self.fleet.post(f"operations/{self._running}/cancel", patience_s=0)
            operation = self.fleet.get(f"operations/{self._running}")
            self.added += [
                d["serial"]
                for d in self.fleet.devices()
                if d["requested_at"] == operation["created_at"]
            ]
        if not self.added:
            return
        begun = self.fleet.begin({"kind": "remove", "serials": sorted(set(self.added))})
        ended = self._ended(begun)
        ok = ended["state"] == "succeeded"
        self.note(Check(ok, f"−{ended['count']:,}", f"{text.outcome(ended)}."))


def rehearse(fleet: Fleet, *, count: int, as_json: bool) -> int:
    """Check, add, look, remove; 0 when everything is ✓, 1 when something is ✗."""
    rehearsal = Rehearsal(fleet, quiet=as_json)
    interrupted = False
    try:
        with _cleared(rehearsal):
            wanted = steps(count)
            # every step must have come before the next is worth trying
            if rehearsal.look(sum(wanted)) and all(rehearsal.show(each) for each in wanted):
                rehearsal.pages()
                rehearsal.estimate()
    except KeyboardInterrupt:
        interrupted = True
        rehearsal.note(Check(False, "interrupted", "What follows was not tried."))
    wrong = [check for check in rehearsal.checks if check.ok is False]
    if as_json:
        print_json({
            "ready": not wrong,
            "checks": [asdict(check) for check in rehearsal.checks],
            "steps": rehearsal.shown,
        })  # fmt: skip
    else:
        print(_verdict(wrong))
    if interrupted:
        return 130
    return 1 if wrong else 0


def _verdict(wrong: list[Check]) -> str:
    if not wrong:
        return "\nReady: the show can begin."
    return f"\nNot ready: {', '.join(check.what for check in wrong)}."


@contextlib.contextmanager
def _cleared(rehearsal: Rehearsal) -> Iterator[None]:
    """What goes wrong becomes a line, and what was added is removed."""
    try:
        yield
    except CliError as error:
        rehearsal.note(Check(False, "the fleet", str(error)))
    finally:
        try:
            rehearsal.clear()
        except CliError as error:
            print(f"fleet: What was added could not be removed: {error}", file=sys.stderr)
            rehearsal.checks.append(Check(False, "clearing", str(error)))
