"""`bin/bench painting`: what the stage page costs a browser, told by Chromium's own trace.

The page is the real one, fed through the real hub by a made-up fleet. The script time of a frame is
all JavaScript the page's thread ran since the frame before it; a task is whatever that thread did
without a pause, drawing and layout included. Both are told as the thread's own CPU time, and by the
clock, which also counts what other processes took of the cores meanwhile.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench.findings import Findings
from bench.live.scene import Scene, scene

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
CATEGORIES = ["devtools.timeline", "v8", "toplevel", "disabled-by-default-devtools.timeline"]
SCRIPT = frozenset({
    "FunctionCall", "EvaluateScript", "FireAnimationFrame", "TimerFire", "EventDispatch",
    "WebSocketReceive", "v8.callFunction", "RunMicrotasks", "v8.run",
})  # fmt: skip
FRAME, TASK = "FireAnimationFrame", "RunTask"
PAINTS = """() => Object.fromEntries(
  performance.getEntriesByType("paint").map((entry) => [entry.name, entry.startTime]))"""
CALM = 0.01  # of the devices change state in a second, while pages are opened
VIEW = {"width": 1920, "height": 1080}
LIVE = "#connection[data-connection=live]"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to show, and for how long; `moving` is how many devices change state a second."""

    devices: int
    cores: int
    moving: int
    seconds: float


@dataclass(frozen=True)
class Trace:
    """Milliseconds: script of each frame, and each task of the page's thread; ascending."""

    scripts_ms: list[float]
    tasks_ms: list[float]


def read(events: Iterable[dict[str, Any]], clock: str) -> Trace:
    """What a trace says of the thread that fired animation frames most often.

    `clock` is `tdur` for the thread's CPU time, `dur` for the time that went by.
    """
    complete = sorted(
        (e for e in events if e.get("ph") == "X" and "dur" in e), key=lambda e: float(e["ts"])
    )
    threads = Counter((e["pid"], e["tid"]) for e in complete if e["name"] == FRAME)
    if not threads:
        return Trace([], [])
    main, _ = threads.most_common(1)[0]
    ours = [e for e in complete if (e["pid"], e["tid"]) == main]
    return Trace(
        sorted(_scripts(ours, clock)),
        sorted(e.get(clock, e["dur"]) / 1000 for e in ours if e["name"].endswith(TASK)),
    )


def _scripts(events: Sequence[dict[str, Any]], clock: str) -> Iterable[float]:
    """Script from the end of one frame to that of the next; nested script counts once."""
    spent = 0.0
    covered, frame_ends = -math.inf, math.inf
    for event in events:
        begins, ends = float(event["ts"]), float(event["ts"] + event["dur"])
        if event["name"] not in SCRIPT or ends <= covered:
            continue
        if begins >= frame_ends:
            yield spent / 1000
            spent, frame_ends = 0.0, math.inf
        spent += event.get(clock, event["dur"])
        covered = ends
        if event["name"] == FRAME:
            frame_ends = ends
    yield spent / 1000


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ascending values; 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def run(findings: Findings, wish: Wish) -> None:
    """Measure the first paint with a cold cache, then the page while the fleet moves."""
    with scene() as here, sync_playwright() as playwright:
        access = here.ask("bench.live.rows", str(wish.devices), "page")
        here.start_web()
        _feed(here, wish, CALM)
        name, _, value = access["cookie"].partition("=")
        cookies = [{"name": name, "value": value, "url": here.url}]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            paints = [_first_paint(browser, here, cookies) for _ in range(5)]
            here.end("feed")
            _feed(here, wish, wish.moving / wish.devices)
            events = _watch(browser, here, cookies, wish)
        finally:
            browser.close()
    _tell(findings, wish, sorted(paints), read(events, "tdur"), read(events, "dur"))


def _feed(here: Scene, wish: Wish, moving: float) -> None:
    here.python(
        "feed", "-m", "bench.live.feed", "--devices", str(wish.devices), "--cores",
        str(wish.cores), "--moving", str(moving),
    )  # fmt: skip


def _open(browser: Browser, here: Scene, cookies: Any) -> Page:
    context = browser.new_context(viewport=VIEW)  # type: ignore[arg-type]
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(here.url + "/?theme=dark")
    return page


def _first_paint(browser: Browser, here: Scene, cookies: Any) -> float:
    page = _open(browser, here, cookies)
    page.locator(LIVE).wait_for()
    found = page.evaluate(PAINTS)["first-contentful-paint"]
    page.context.close()
    return float(found)


def _watch(browser: Browser, here: Scene, cookies: Any, wish: Wish) -> list[dict[str, Any]]:
    page = _open(browser, here, cookies)
    page.locator(LIVE).wait_for()
    time.sleep(3.0)  # the first snapshot is drawn, what is compiled is compiled
    browser.start_tracing(page=page, categories=CATEGORIES)
    time.sleep(wish.seconds)
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    page.context.close()
    return events


def _tell(
    findings: Findings, wish: Wish, paints: list[float], cpu: Trace, clock: Trace
) -> None:
    shown = (
        f"{wish.devices:,} devices, {wish.cores} cores, {wish.moving:,} changes a second, "
        f"{wish.seconds:.0f} s"
    )
    if not cpu.scripts_ms:
        findings.problem("The page drew no frame while it was watched.")
        return
    findings.values["painting"] = {
        "first_paint_ms": paints, "frames": len(cpu.scripts_ms), "cpu": _values(cpu),
        "clock": _values(clock),
    }  # fmt: skip
    findings.row(
        f"browser, {shown}: script time a frame, p99, CPU (by the clock)",
        f"**{percentile(cpu.scripts_ms, 0.99):.1f} ms** "
        f"({percentile(clock.scripts_ms, 0.99):.1f}; {len(cpu.scripts_ms)} frames)",
        reach="12 ms", aim="8 ms",
    )  # fmt: skip
    findings.row(
        "– longest task, CPU (by the clock)",
        f"**{cpu.tasks_ms[-1]:.0f} ms** ({clock.tasks_ms[-1]:.0f})", reach="50 ms", aim="30 ms",
    )  # fmt: skip
    findings.row(
        "first paint of the stage page, cold cache, median of 5 (range)",
        f"**{percentile(paints, 0.5):.0f} ms** ({paints[0]:.0f}–{paints[-1]:.0f})",
        reach="500 ms", aim="250 ms",
    )  # fmt: skip


def _values(trace: Trace) -> dict[str, float]:
    return {
        **{f"script_p{p}_ms": percentile(trace.scripts_ms, p / 100) for p in (50, 95, 99)},
        "longest_script_ms": trace.scripts_ms[-1],
        "longest_task_ms": trace.tasks_ms[-1],
    }
