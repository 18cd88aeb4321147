"""`bin/bench pages`: how long the API and the pages take to answer."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx

from bench import fleet

PAGES = ("/", "/devices/", "/api/v1/summary", "/api/v1/devices?limit=100")


def run(*, rounds: int, password: str) -> dict[str, Any]:
    """Milliseconds to answer, p50 and p95, for each page of a logged-in person."""
    running = fleet.find()
    with httpx.Client(base_url=running.url, follow_redirects=True, timeout=30) as client:
        form = client.get("/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        if token is None:
            raise SystemExit("bench: the log-in page has no form")
        client.post(
            "/login/",
            data={"username": "admin", "password": password, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": running.url},
        )
        paths = list(PAGES)
        listed = running.get("devices?limit=1")["devices"]
        paths += [f"/devices/{each['serial']}/" for each in listed]
        return {path: _time(client, path, rounds) for path in paths}


def _time(client: httpx.Client, path: str, rounds: int) -> dict[str, float]:
    took_ms = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get(path)
        took_ms.append(1000 * (time.perf_counter() - began))
        if answer.status_code != 200 or answer.url.path.startswith("/login"):
            raise SystemExit(f"bench: {path} answered {answer.status_code} at {answer.url}")
    took_ms.sort()
    return {
        "p50_ms": round(took_ms[len(took_ms) // 2], 1),
        "p95_ms": round(took_ms[max(0, -(-len(took_ms) * 95 // 100) - 1)], 1),
    }
