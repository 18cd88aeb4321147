"""`bin/bench pages`: how long the API and the pages take to answer a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from bench import fleet
from bench.errors import BenchError
from bench.figures import percentile
from bench.findings import Findings
from bench.fleet import RunningFleet
from bench.live.scene import scene
from bench.person import Person

PAGES = ("/", "/devices/", "/api/v1/summary", "/api/v1/devices?limit=100")
REACH_MS = 500.0
# a log-in is slow on purpose (a password's hash), so a few tell enough
LOG_INS = 5

LISTS = {
    "list": "",
    "list, 100 rows": "size=100",
    "list, last page": "size=100&page=999999",
    "list, one state": "state=failed",
    "list, most states": "state=online&state=off&size=100",
    "list, a tag": "tag=lab",
    "list, two tags, one host": "tag=lab&tag=berlin&host=beta",
    "list, firmware, slot, start": "firmware=0.2.0&slot=b&start=cold",
    "list, young": "younger=1d",
    "list, old, by age": "older=1w&sort=-age",
    "list, a serial": "q=fd-004711",
    "list, a word in many": "q=number+4",
    "list, nothing found": "q=nothing+of+this",
    "list, by serial": "sort=serial&page=60",
    "list, by state": "sort=state&page=60",
    "list, by since": "sort=-state_since&page=60",
    "list, by host": "sort=host&page=60",
    "list, by firmware, last": "sort=firmware&size=100&page=999999",
}
FIRST_PAGE = "/api/v1/devices?limit=100"
# what this page may take, p95, and the pages it is about: the beginning of their names
REACHES_MS = {"list": 200.0, "device": 300.0, "API, 100 devices": 100.0, "operations": 300.0}


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
    asked_for = {path: path for path in PAGES}
    for each in listed:
        asked_for["search in the list"] = f"/devices/?q={quote(each['serial'][-4:])}"
        asked_for["search as one types"] = f"/devices/?q={quote(each['serial'])}&size=100"
        asked_for["device page"] = f"/devices/{each['serial']}/"
    for name, path in asked_for.items():
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


def run_generated(findings: Findings, *, rows: int, rounds: int) -> None:
    """The same of a made-up fleet of so many devices, by a web process of its own."""
    findings.values["rows"] = rows
    with scene() as here:
        access = here.ask("bench.page_rows", str(rows))
        here.start_web()
        person = Person(here.url, access["password"])
        pages: dict[str, dict[str, float]] = {}
        findings.values["pages"] = pages
        for name, path in _paths(person, access["serial"]).items():
            try:
                person.get_ms(path)  # what is loaded at the first time is not the page's
                pages[name] = _figures(
                    lambda path=path: person.get_ms(path), rounds  # type: ignore[misc]
                )
            except BenchError as error:
                findings.problem(f"{name}: {error}")
    _judge(findings, pages, rows)


def _paths(person: Person, serial: str) -> dict[str, str]:
    cursor = str(person.client.get(FIRST_PAGE).json()["next"])
    newest = person.client.get("/api/v1/operations?limit=1").json()["operations"][0]["id"]
    return paths(cursor=cursor, serial=serial, operation=newest)


def paths(*, cursor: str, serial: str, operation: int) -> dict[str, str]:
    """What is timed: a page's name and its address, for a cursor and rows that there are."""
    onward = quote(cursor, safe="")
    return {
        **{name: f"/devices/?{query}" for name, query in LISTS.items()},
        "count of all that match": "/devices/count?state=online&tag=lab",
        "device page": f"/devices/{serial}/",
        "device page, what was earlier": f"/devices/{serial}/?before=999999999",
        "operations page": "/operations/",
        "operations page of one": f"/operations/{operation}/",
        "API, 100 devices": FIRST_PAGE,
        "API, 100 devices, onward": f"/api/v1/devices?limit=100&cursor={onward}",
        "API, 100 devices, searched": "/api/v1/devices?limit=100&search=number+4",
        "API, summary": "/api/v1/summary",
        "API, operations": "/api/v1/operations?limit=100",
        "fleet": "/",
    }


def _judge(findings: Findings, pages: Mapping[str, Mapping[str, float]], rows: int) -> None:
    for about, reach_ms in REACHES_MS.items():
        found = {name: each for name, each in pages.items() if name.startswith(about)}
        if not found:
            continue
        slowest = max(found, key=lambda name: found[name]["p95_ms"])
        p95_ms = found[slowest]["p95_ms"]
        which = f" (the slowest of {len(found)}: {slowest})" if len(found) > 1 else ""
        findings.row(
            f"{rows:,} devices: {about}, p95{which}", f"**{p95_ms:.0f} ms**",
            reach=f"{reach_ms:.0f} ms",
        )  # fmt: skip
        if p95_ms > reach_ms:
            findings.problem(f"{slowest} took {p95_ms:.0f} ms (p95), over {reach_ms:.0f}")


def _figures(once: Callable[[], float], rounds: int) -> dict[str, float]:
    took_ms = [once() for _ in range(rounds)]
    return {
        "p50_ms": round(percentile(took_ms, 0.5) or 0.0, 1),
        "p95_ms": round(percentile(took_ms, 0.95) or 0.0, 1),
    }
