"""History as a person looks at it: drawn, dragged, followed by another chart, appended to."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import log_in
from tests.browser.conftest import Complaints
from tests.browser.stage import Stage
from tests.fleet import ApiError, Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

WRITTEN = """
import time
from datetime import timedelta
from django.utils import timezone
from devices.models import Operation
from devices.services import history
begin_s = history.FINEST.begin(time.time()) - 1800
last_s = None
for n in range(359):
    at_s = begin_s + 5 * n
    figures = {"online": n, "devices": 400, "load": 1.5, "messages_per_s": 12, "started_per_s": 0}
    history.write(at_s, {"": figures}, last_s=last_s)
    last_s = at_s
for minutes, kind in ((55, "add"), (45, "shut_down")):
    at = timezone.now() - timedelta(minutes=minutes)
    Operation.objects.create(
        kind=kind, count=3, created_at=at, ended_at=at + timedelta(minutes=1), state="succeeded",
    )
"""
APPENDED = """
import time
from devices.services import history
history.write(time.time(), {"": {"online": 7777, "devices": 7777}})
"""
WIDE = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def written(stage: Stage) -> None:
    """Half an hour of figures and two operations."""
    stage.run(WRITTEN)


@pytest.fixture
def past(member: Page, stage: Stage, written: None) -> Page:
    """Somebody who looks at the last hour."""
    member.goto(stage.url + "/history")
    expect(value(member, "load")).to_have_text("1.50")
    return member


def value(page: Page, figure: str) -> Locator:
    """What a chart's key says of a figure."""
    return page.locator(f'[data-figure="{figure}"] b')


def seen_s(page: Page) -> list[int]:
    """From when to when is seen, as the address says; empty for all."""
    query = parse_qs(urlparse(page.url).query)
    return [int(query[name][0]) for name in ("from", "to") if name in query]


def test_a_part_is_dragged_out_of_a_chart_and_all_charts_follow(
    past: Page, complaints: Complaints
) -> None:
    past.get_by_text("The same as a table").click()
    rows = past.locator("#history-table tr")
    expect(rows).not_to_have_count(0)
    before = rows.all_text_contents()
    over = past.locator('[data-chart="load"] .u-over')
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    past.mouse.move(box["x"] + 0.6 * box["width"], middle)
    past.mouse.down()
    past.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=4)
    past.mouse.up()
    past.wait_for_url("**from=*")
    begin_s, end_s = seen_s(past)
    assert end_s - begin_s == pytest.approx(360, abs=30)
    expect(past.locator("#history-all")).to_be_visible()
    assert rows.all_text_contents() != before
    # another chart shows the same part: its cursor at the left edge is at the part's beginning
    past.mouse.move(0, 0)
    past.locator('[data-chart="devices"] .chart-box').focus()
    past.keyboard.press("ArrowRight")
    spoken = past.locator("#history-spoken")
    expect(spoken).to_have_text(re.compile(r"^\d\d:\d\d:\d\d: online \d+, all 400$"))
    first = past.evaluate(
        "(s) => new Date(1000 * Math.ceil(s / 5) * 5).toISOString().slice(11, 16)", begin_s
    )
    assert (spoken.text_content() or "").startswith(first)
    # what is seen is in the address, and a new visit sees the same
    past.reload()
    expect(past.locator("#history-all")).to_be_visible()
    assert seen_s(past) == [begin_s, end_s]
    over.dblclick()
    expect(past.locator("#history-all")).to_be_hidden()
    assert seen_s(past) == []
    assert complaints == []


def test_the_keyboard_looks_closer_and_back(past: Page) -> None:
    past.locator('[data-chart="load"] .chart-box').focus()
    past.keyboard.press("+")
    begin_s, end_s = seen_s(past)
    assert end_s - begin_s == pytest.approx(1800, abs=10)
    past.keyboard.press("Escape")
    assert seen_s(past) == []


def test_who_looks_closer_at_a_day_sees_steps_of_the_hour(past: Page, stage: Stage) -> None:
    end_s = int(time.time()) - 60
    past.goto(f"{stage.url}/history?window=day&from={end_s - 300}&to={end_s}")
    past.get_by_text("The same as a table").click()
    first = past.locator("#history-table th").first
    expect(first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    past.get_by_role("button", name="Show all").click()
    expect(first).to_have_text(re.compile(r"^\w+ \d+ \d\d:\d\d$"))
    assert "window=day" in past.url
    assert seen_s(past) == []


def test_operations_are_marks_that_say_and_lead(past: Page) -> None:
    note = past.locator("#marks-note")
    added = past.get_by_role("link", name="Add 3 devices: succeeded")
    expect(added).to_have_attribute("href", re.compile(r"^/operations/\d+/$"))
    added.hover()
    expect(note).to_contain_text("Add 3 devices: succeeded")
    past.get_by_role("link", name="Shut down 3 devices: succeeded").focus()
    expect(note).to_contain_text("Shut down 3 devices: succeeded")
    added.click()
    expect(past.get_by_role("heading", level=1)).to_contain_text("Add 3 devices")


def test_what_is_new_appears_by_itself_and_a_day_is_coarser(
    past: Page, stage: Stage, complaints: Complaints
) -> None:
    stage.run(APPENDED)
    expect(value(past, "online")).to_have_text("7,777")
    past.set_viewport_size({"width": 390, "height": 844})
    past.get_by_role("link", name="Day").click()
    past.wait_for_url("**window=day")
    expect(value(past, "load")).to_have_text("1.50")
    assert past.evaluate(WIDE) <= 390
    assert complaints == []


def test_a_browser_whose_clock_is_wrong_sees_the_same(
    member: Page, stage: Stage, written: None
) -> None:
    member.add_init_script("const now = Date.now; Date.now = () => now() + 2 * 3_600_000;")
    member.goto(stage.url + "/history")
    expect(value(member, "load")).to_have_text("1.50")


@pytest.mark.guest
@pytest.mark.timeout(240)
def test_history_outlives_those_who_write_and_show_it(
    page: Page, fleet: Fleet, complaints: Complaints
) -> None:
    def reading(until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError, ApiError):
                found: dict[str, Any] = fleet.api("GET", "history")
                if until(found):
                    return found
            assert time.monotonic() < deadline, "nothing was written"
            page.wait_for_timeout(250)

    before = reading(lambda found: len(found["at"]) > 1)
    killed = [fleet.processes()[name] for name in ("control", "web")]
    for process in killed:
        os.kill(process.pid, signal.SIGKILL)
    killed_s = time.time()
    after = reading(lambda found: bool(found["at"]) and found["at"][-1] > killed_s)
    assert {r.pid for r in killed}.isdisjoint(r.pid for r in fleet.processes().values())
    now = dict(zip(after["at"], after["figures"]["online"]["mean"], strict=True))
    was = dict(zip(before["at"], before["figures"]["online"]["mean"], strict=True))
    # an hour is kept: the first of them may have been overwritten meanwhile
    kept = [at for at in was if at >= after["at"][0]]
    assert len(kept) >= min(2, len(was))
    assert [now[at] for at in kept] == [was[at] for at in kept]

    log_in(page, fleet.url, fleet.admin_password)
    page.goto(fleet.url + "/history")
    expect(value(page, "memory_free_mib")).to_have_text(re.compile(r"\d GiB$"))
    expect(value(page, "messages_per_s")).to_have_text(re.compile(r"/s$"))
    assert complaints == []
