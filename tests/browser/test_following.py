"""Pages follow their devices: nothing that was said is missed, and nothing is taken for another."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.conftest import Complaints
from tests.browser.held import Held
from tests.browser.scripts import LINES
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]



def _live(page: Page) -> None:
    expect(page.locator("#connection-word")).to_have_text("live")


def test_news_that_comes_while_the_page_asks_is_asked_for_too(member: Page, stage: Stage) -> None:
    member.goto(stage.url + "/devices/fd-000013/")
    _live(member)
    chip, reboot = member.locator("#device-state .chip"), member.locator("#press-reboot")
    asked = Held(member, "**/devices/fd-000013/")
    try:
        stage.change(13, "off")
        older = asked.nth(0).fetch()
        stage.change(13, "online")
        expect(chip).to_have_text("online")
        asked.nth(0).fulfill(response=older)
        # an answer that is lost is asked for again
        asked.nth(1).abort()
        newest = asked.nth(2)
        stage.keep(13, "offline")  # what only the answer can tell
        newest.continue_()
        expect(reboot).to_have_attribute("aria-disabled", "true")
        expect(chip).to_have_text("offline")
    finally:
        stage.change(13, "online")


def test_a_row_tells_since_when_and_why_and_never_of_the_next_in_its_place(
    member: Page, stage: Stage, complaints: Complaints
) -> None:
    member.goto(stage.url + "/devices/?q=fd-00002&state=online&state=offline&sort=serial")
    _live(member)
    rows = member.locator("tbody tr")
    row, next_row = rows.nth(3), rows.nth(4)
    try:
        stage.change(23, "offline", "It was not heard from.")
        expect(row.locator(".chip")).to_have_text("offline")
        expect(row.locator(".at-since")).to_have_text(re.compile(r"^\d s$"))
        expect(row.locator(".at-reason")).to_have_text("It was not heard from.")

        stage.keep(23, "gone")
        stage.publish(23, "gone")
        expect(row.locator(".chip")).to_have_text("gone")
        # while nobody listens, too
        member.keyboard.press("p")
        expect(member.locator("#stale-age")).to_have_text("PAUSED")
        stage.keep(24, "gone")
        for state in ("gone", "requested", "online"):
            for slot in (23, 24):
                stage.publish(slot, state)
        member.keyboard.press("p")
        expect(next_row.locator(".chip")).to_have_text("gone")
        expect(row.locator(".chip")).to_have_text("gone")
        # the others are followed again
        stage.change(25, "offline")
        expect(member.locator("#state-25")).to_have_text("offline")
        expect(rows).to_have_count(9)  # fd-000029 has failed
    finally:
        for slot in (23, 24, 25):
            stage.change(slot, "online")
    assert [c for c in complaints if "404" not in c] == []  # nobody has that place


def test_links_among_what_changes_keep_focus_and_clicks(member: Page, stage: Stage) -> None:
    sockets: list[WebSocket] = []
    member.on("websocket", lambda socket: sockets.append(socket))
    member.goto(stage.url + "/")
    _live(member)
    number = member.get_by_test_id("online")
    try:
        expect(number).to_have_text("29")
        link = member.locator("#to-offline")
        link.focus()
        stage.change(8, "offline")
        expect(number).to_have_text("28")
        expect(link).to_be_focused()
        link.hover()
        member.mouse.down()
        with sockets[0].expect_event(
            "framereceived", lambda frame: isinstance(frame, str) and 'data-online="29"' in frame
        ):
            stage.change(8, "online")
        member.mouse.up()
        member.wait_for_url("**/devices/?state=offline")
    finally:
        stage.change(8, "online")


def test_a_dead_connection_is_noticed_and_made_anew(member: Page, stage: Stage) -> None:
    member.clock.install()
    member.add_init_script(LINES)
    member.goto(stage.url + "/devices/?q=fd-000014")
    _live(member)
    word, why = member.locator("#connection-word"), member.locator("#stale-why")
    member.evaluate("window.sameDocument = window.lines.at(-1).deaf = true")
    member.route("**/devices/?q=fd-000014", lambda route: route.abort())
    for _ in range(3):
        member.clock.fast_forward(5000)
    expect(word).to_have_text("no answer")
    expect(why).to_contain_text("Nothing arrives from the server")
    member.clock.fast_forward(20_000)
    expect(word).to_have_text("no answer")
    member.unroute_all()
    member.clock.fast_forward(10_000)
    _live(member)
    expect(member.locator("#stale")).to_be_hidden()
    assert member.evaluate("window.lines.length") == 2
    assert member.evaluate("window.sameDocument")


def test_a_silent_poller_is_not_a_dead_connection(member: Page, stage: Stage) -> None:
    member.clock.install()
    member.add_init_script(LINES)
    stage.publishing.clear()
    try:
        member.goto(stage.url + "/devices/?q=fd-000014")
        _live(member)
        for _ in range(8):
            member.clock.fast_forward(4000)
            expect(member.locator("#stale-why")).to_contain_text("The poller has stopped")
        assert member.evaluate("window.lines.length") == 1
    finally:
        stage.publishing.set()
