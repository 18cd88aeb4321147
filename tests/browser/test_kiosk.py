"""The wall on a screen that nobody touches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def screen(browser: Browser) -> Iterator[BrowserContext]:
    """The browser of the screen in the lobby, which never logs in."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    yield context
    context.close()


def _link(member: Page, stage: Stage) -> str:
    member.goto(stage.url + "/tokens/")
    member.get_by_label("Name").nth(1).fill("lobby")
    member.get_by_role("button", name="Make a link").click()
    return member.locator("#key").inner_text().strip()


def test_a_link_watches_changes_nothing_and_goes_dark_when_revoked(
    member: Page, stage: Stage, screen: BrowserContext
) -> None:
    link = _link(member, stage)
    wall = screen.new_page()
    wall.goto(link + "&rotate=0")
    assert "key=" not in wall.url
    expect(wall.locator("#connection-word")).to_have_text("live", timeout=10_000)
    expect(wall.get_by_test_id("online")).to_have_text("29")
    stage.change(8, "offline")
    expect(wall.get_by_test_id("online")).to_have_text("28", timeout=5000)
    stage.change(8, "online")
    assert wall.locator("form, [hx-post], a[href^='/']").count() == 0
    before = len(screen.cookies())
    # what a visitor's own script could try from there
    answers = wall.evaluate("""async () => {
      const post = (to, body) => fetch(to, { method: "POST", body, redirect: "manual" });
      const tries = [post("/devices/remove", new URLSearchParams({ count: 1 })),
        post("/operations/1/cancel"), post("/api/v1/operations", '{"kind":"remove","count":1}'),
        fetch("/devices/", { redirect: "manual" })];
      return (await Promise.all(tries)).map((answer) => answer.status);
    }""")
    assert set(answers) <= {0, 401, 403}, answers  # 0 is a redirect, to the log-in
    assert len(screen.cookies()) == before
    expect(wall.get_by_test_id("total")).to_have_text("30")
    member.goto(stage.url + "/tokens/")
    member.get_by_role("button", name="Revoke lobby").click()
    expect(wall.locator("[data-sentence]")).to_contain_text("revoked", timeout=15_000)


def test_views_take_turns_in_the_look_that_the_address_asks_for(member: Page, stage: Stage) -> None:
    awake = "navigator.wakeLock.request = (kind) => { window.awake = kind; return {}; }"
    member.add_init_script(awake)
    member.goto(stage.url + "/wall?kiosk&views=devices,cores&rotate=1&theme=light&text=150")
    body = member.locator("body")
    expect(body).to_have_attribute("data-view", "devices")
    expect(member.locator("#cores")).to_be_hidden()
    expect(body).to_have_attribute("data-view", "cores", timeout=3000)
    expect(member.locator("#cores-past")).to_be_visible()
    expect(member.locator("#wall")).to_be_hidden()
    expect(body).to_have_attribute("data-view", "devices", timeout=3000)
    assert member.evaluate("window.awake") == "screen"
    assert member.evaluate("document.documentElement.dataset.theme") == "light"
    large = member.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    member.goto(stage.url + "/wall?kiosk&rotate=0")
    usual = member.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert large == pytest.approx(1.5 * usual, rel=0.01)
    member.keyboard.press("n")
    expect(body).to_have_attribute("data-view", "devices")


def test_a_slow_screen_looks_now_and_then_and_is_not_stale(member: Page, stage: Stage) -> None:
    heard: list[object] = []
    member.on("websocket", lambda ws: ws.on("framereceived", lambda frame: heard.append(frame)))
    member.goto(stage.url + "/wall?kiosk&rotate=0&refresh=4")
    expect(member.locator("#connection-word")).to_have_text("live", timeout=10_000)
    member.evaluate("new Promise((go) => setTimeout(go, 3300 - performance.now()))")
    after_first = len(heard)
    member.wait_for_timeout(500)
    assert len(heard) == after_first  # not looking
    member.wait_for_timeout(2000)
    assert len(heard) > after_first
    expect(member.locator("#stale")).to_be_hidden()


@pytest.mark.parametrize("view", ["fleet", "devices", "cores", "work"])
def test_the_wall_fits_its_screen(member: Page, stage: Stage, view: str) -> None:
    member.goto(f"{stage.url}/wall?kiosk&rotate=0&view={view}")
    height = "document.documentElement.scrollHeight"
    assert member.evaluate(height) <= 720
    member.set_viewport_size({"width": 390, "height": 844})
    assert member.evaluate("document.documentElement.scrollWidth") <= 390
