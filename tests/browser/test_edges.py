"""What happens at the edges: an old page, an ended session, a hidden tab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.scripts import HIDE
from tests.browser.stage import Stage
from tests.browser.waiting import until, until_quiet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

@pytest.fixture
def frames() -> list[str | bytes]:
    return []


@pytest.fixture
def inside(member: Page, stage: Stage, frames: list[str | bytes]) -> Page:
    def follow(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: frames.append(frame))

    member.on("websocket", follow)
    member.goto(stage.url + "/")
    expect(member.locator("#connection-word")).to_have_text("live")
    return member


def test_a_page_that_is_too_old_says_so(inside: Page) -> None:
    inside.evaluate("""document.body.setAttribute("hx-headers", '{"X-CSRFToken": "old"}')""")
    inside.locator('button[data-kind="remove"][data-count="1"]').click()
    expect(inside.locator("#toasts .error")).to_contain_text("the page was too old")
    expect(inside.get_by_test_id("total")).to_have_text("30")


def test_an_ended_session_leads_to_the_log_in(inside: Page) -> None:
    inside.context.clear_cookies(name=re.compile("session"))
    inside.locator('button[data-kind="remove"][data-count="1"]').click()
    inside.wait_for_url("**/login/**")
    expect(inside.get_by_label("Password")).to_be_visible()


def test_a_hidden_tab_is_sent_nothing(inside: Page, frames: list[str | bytes]) -> None:
    inside.evaluate(HIDE, True)
    before = until_quiet(inside, frames)
    inside.wait_for_timeout(1500)
    assert len(frames) == before
    inside.evaluate(HIDE, False)
    until(inside, lambda: len(frames) >= before + 4)
    expect(inside.locator("#stale")).to_be_hidden()


def test_a_refusal_is_a_sentence_that_can_be_put_away(inside: Page) -> None:
    button = inside.locator('button[data-kind="add"][data-count="1000"]')
    button.evaluate("b => { b.setAttribute('aria-disabled', 'false'); b.click(); }")
    inside.locator("#confirm-yes").click()
    toast = inside.locator("#toasts .error")
    expect(toast).to_contain_text("1,000 more devices do not fit")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
