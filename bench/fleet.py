"""The running fleet, as a bench sees it: its API and its folder."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from bench.errors import BenchError

CHECKOUT = Path(__file__).resolve().parent.parent
# looking at an operation costs the fleet the more, the larger it is
POLL_S = 0.25
POLL_S_PER_DEVICE = 0.001
# an operation that moves no device for so long will not move one
STALL_S = 180.0
# unless the fleet says what it waits for, memory to merge for instance
HELD_S = 900.0
TEMPLATE_DEADLINE_S = 300.0
REHEARSAL_S = 60.0
MOST = 10_000


class Refused(BenchError):
    """The fleet does not take an operation; `fits` is how many devices it would take."""

    def __init__(self, sentence: str, fits: int | None) -> None:
        super().__init__(f"the fleet refused: {sentence}")
        self.fits = fits


@dataclass(frozen=True)
class RunningFleet:
    """Where the fleet answers and where its folder is."""

    client: httpx.Client
    url: str
    var: Path

    def get(self, path: str) -> Any:
        """The JSON at `path` below /api/v1/; raises BenchError."""
        try:
            answer = self.client.get(path)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise BenchError(f"the fleet did not answer {path}: {error!r}") from error
        return answer.json()

    def begin(self, kind: str, count: int, **wish: str) -> dict[str, Any]:
        """Ask for an operation; raises Refused."""
        try:
            answer = self.client.post("operations", json={"kind": kind, "count": count, **wish})
        except httpx.HTTPError as error:
            raise BenchError(f"the fleet did not answer: {error!r}") from error
        if answer.status_code >= 400:
            problem = answer.json()
            raise Refused(str(problem.get("detail", answer.text)), problem.get("fits"))
        begun: dict[str, Any] = answer.json()
        return begun

    def wait(self, operation: dict[str, Any], *, stall_s: float = STALL_S) -> dict[str, Any]:
        """Wait for an operation's end; raises BenchError when it gets nowhere for `stall_s`.

        While the fleet says what holds it, it is given more time.
        """
        settled, moved_at = -1, time.monotonic()
        while operation["state"] == "running":
            time.sleep(max(POLL_S, POLL_S_PER_DEVICE * devices_of(operation)))
            operation = self.get(f"operations/{operation['id']}")
            now_settled = operation["done"] + operation["failed"] + operation["cancelled"]
            if now_settled != settled:
                settled, moved_at = now_settled, time.monotonic()
            still_s = time.monotonic() - moved_at
            if still_s > (HELD_S if operation["held"] else stall_s):
                raise BenchError(
                    f"{operation['kind']} of {operation['count']} stands at {operation['done']} "
                    f"for {still_s:.0f} s. {operation['held']}".rstrip()
                )
        return operation

    def operate(
        self, kind: str, count: int, *, stall_s: float = STALL_S, **wish: str
    ) -> dict[str, Any]:
        """Ask for an operation and wait for its end."""
        return self.wait(self.begin(kind, count, **wish), stall_s=stall_s)

    def devices(self, *, after: str = "", state: str = "") -> Iterator[dict[str, Any]]:
        """All devices (of a state), or those requested at or after an ISO 8601 time."""
        query = f"devices?limit=500&state={state}" if state else "devices?limit=500"
        cursor = ""
        while True:
            page = self.get(f"{query}&cursor={cursor}")
            yield from (d for d in page["devices"] if d["requested_at"] >= after)
            if page["next"] is None:
                return
            cursor = page["next"]

    def stop_adding(self) -> None:
        """Cancel whatever still adds devices."""
        for operation in self.get("operations?limit=20")["operations"]:
            if operation["state"] == "running" and operation["kind"] == "add":
                with contextlib.suppress(httpx.HTTPError):  # it may just have ended
                    self.client.post(f"operations/{operation['id']}/cancel")

    def make_room(self, *, clear: bool) -> None:
        """Begin with an empty fleet: raises BenchError when it is not and may not be cleared."""
        total = self.get("summary")["total"]
        if total and not clear:
            raise BenchError(
                f"the fleet is not empty (devices: {total}), and this bench would remove what is "
                "in it: remove it, or say --clear"
            )
        self.empty()

    def empty(self) -> None:
        """Remove every device and wait until none is left."""
        self.stop_adding()
        if self.get("summary")["total"]:
            self.operate("remove", MOST)

    def wait_for_template(self) -> str:
        """Return once devices start warm here, with what the fleet says of its template.

        Raises BenchError with why they do not.
        """
        until = time.monotonic() + TEMPLATE_DEADLINE_S
        while True:
            template = self.get("summary")["hosts"][0]["template"] or {}
            said = str(template.get("sentence", "the worker says nothing of it"))
            if template.get("state") == "ready" and (
                # what clones are forked from is made after the template, or cannot be made
                "forked" in said or time.time() - template["at"] > REHEARSAL_S
            ):
                return said
            if template.get("state") == "failed" or time.monotonic() > until:
                raise BenchError(f"there is no template: {said}")
            time.sleep(0.5)


def devices_of(operation: dict[str, Any]) -> int:
    """How many devices an operation has, which may be fewer than were asked for."""
    return sum(operation[outcome] for outcome in ("pending", "done", "failed", "cancelled"))


def moment(text: str) -> float:
    """An ISO 8601 time of the API in Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def find() -> RunningFleet:
    """The fleet that `bin/up` started from this checkout; raises BenchError without one."""
    var = Path(os.environ.get("FLEETDASH_VAR", CHECKOUT / "var"))
    try:
        known = json.loads((var / "secrets" / "cli.json").read_text())
    except OSError:
        raise BenchError("no running fleet is known here; run bin/up first") from None
    url = known["url"].rstrip("/")
    client = httpx.Client(
        base_url=f"{url}/api/v1/",
        headers={"Authorization": f"Bearer {known['token']}"},
        timeout=60,
        trust_env=False,
    )
    return RunningFleet(client, url, var)
