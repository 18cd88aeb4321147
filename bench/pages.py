"""`bin/bench pages`: how long the API and the pages take to answer a person."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from bench import fleet
from bench.figures import percentile
from bench.findings import Findings
from bench.fleet import RunningFleet
from bench.person import Person

PAGES = ("/", "/devices/", "/api/v1/summary", "/api/v1/devices?limit=100")
REACH_MS = 500.0
# a log-in is slow on purpose (a password's hash), so a few tell enough
LOG_INS = 5


def run(findings: Findings, *, rounds: int, password: str) -> None:
    """Milliseconds to answer, p50 and p95, of each page with the devices that are online now."""
    running = fleet.find()
    online = running.get("summary")["online"]
    findings.values["online"] = online
    measure(findings, running, rounds=rounds, password=password, online=online)


def measure(
    findings: Findings, running: RunningFleet, *, rounds: int, password: str, online: int
) -> None:
    """Add a log-in, a search, a device's page and the rest to the findings."""
    pages: dict[str, dict[str, float]] = {}
    findings.values["pages"] = pages
    pages["log-in"] = _figures(
        lambda: Person(running.url, password).log_in_ms, min(LOG_INS, rounds)
    )
    person = Person(running.url, password)
    listed = running.get("devices?limit=1")["devices"]
    paths = {path: path for path in PAGES}
    for each in listed:
        paths["search in the list"] = f"/devices/?q={quote(each['serial'][-4:])}"
        paths["search as one types"] = f"/devices/?q={quote(each['serial'])}&size=100"
        paths["device page"] = f"/devices/{each['serial']}/"
    for name, path in paths.items():
        pages[name] = _figures(lambda path=path: person.get_ms(path), rounds)  # type: ignore[misc]
    asked = [name for name in ("log-in", "search in the list", "device page") if name in pages]
    slow = [name for name in asked if pages[name]["p95_ms"] > REACH_MS]
    findings.row(
        f"{online:,} online: {', '.join(asked)} answer, p95",
        ", ".join(f"**{pages[name]['p95_ms']:.0f} ms**" for name in asked),
        reach="500 ms each",
    )
    for name in slow:
        findings.problem(f"{name} took {pages[name]['p95_ms']:.0f} ms (p95), over {REACH_MS:.0f}")


def _figures(once: Callable[[], float], rounds: int) -> dict[str, float]:
    took_ms = [once() for _ in range(rounds)]
    return {
        "p50_ms": round(percentile(took_ms, 0.5) or 0.0, 1),
        "p95_ms": round(percentile(took_ms, 0.95) or 0.0, 1),
    }
