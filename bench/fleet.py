"""The running fleet, as a bench sees it: its API and its folder."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class RunningFleet:
    """Where the fleet answers and where its folder is."""

    client: httpx.Client
    url: str
    var: Path

    def get(self, path: str) -> Any:
        """The JSON at `path` below /api/v1/; raises httpx.HTTPStatusError."""
        answer = self.client.get(path)
        answer.raise_for_status()
        return answer.json()

    def operate(self, kind: str, count: int, **wish: str) -> dict[str, Any]:
        """Ask for an operation and wait for its end; exits with the fleet's sentence if refused."""
        answer = self.client.post("operations", json={"kind": kind, "count": count, **wish})
        if answer.status_code >= 400:
            sentence = answer.json().get("detail", answer.text)
            raise SystemExit(f"bench: the fleet refused: {sentence}")
        operation: dict[str, Any] = answer.json()
        while operation["state"] == "running":
            time.sleep(0.25)
            operation = self.get(f"operations/{operation['id']}")
        return operation

    def empty(self) -> None:
        """Remove every device and wait until none is left."""
        total = self.get("summary")["total"]
        if total:
            self.operate("remove", total)


def find() -> RunningFleet:
    """The fleet that `bin/up` started from this checkout; exits with what to do without one."""
    var = Path(os.environ.get("FLEETDASH_VAR", CHECKOUT / "var"))
    try:
        known = json.loads((var / "secrets" / "cli.json").read_text())
    except OSError:
        raise SystemExit("bench: no running fleet is known here; run bin/up first") from None
    url = known["url"].rstrip("/")
    client = httpx.Client(
        base_url=f"{url}/api/v1/",
        headers={"Authorization": f"Bearer {known['token']}"},
        timeout=60,
    )
    return RunningFleet(client, url, var)
