"""The wall on a screen that nobody touches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocket, expect

from tests.browser.scripts import HIDE, LINES
from tests.browser.stage import Stage
from tests.browser.waiting import until, until_quiet, until_told

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

RESTS = '{"hidden":true}'


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
    sockets: list[WebSocket] = []
    wall.on("websocket", lambda socket: sockets.append(socket))
    wall.goto(link + "&rotate=0")
    assert "key=" not in wall.url
    expect(wall.locator("#connection-word")).to_have_text("live")
    expect(wall.get_by_test_id("online")).to_have_text("29")
    stage.change(8, "offline")
    expect(wall.get_by_test_id("online")).to_have_text("28")
    wall.evaluate(HIDE, True)
    stage.change(8, "online")
    wall.evaluate(HIDE, False)
    expect(wall.get_by_test_id("online")).to_have_text("29")
    assert len(sockets) == 1
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
    expect(wall.locator("[data-sentence]")).to_contain_text("revoked")


def test_views_take_turns_in_the_look_that_the_address_asks_for(member: Page, stage: Stage) -> None:
    awake = "navigator.wakeLock.request = (kind) => { window.awake = kind; return {}; }"
    member.add_init_script(awake)
    member.goto(stage.url + "/wall?kiosk&views=devices,cores&rotate=1&theme=light&text=150")
    body = member.locator("body")
    expect(body).to_have_attribute("data-view", "devices")
    expect(member.locator("#cores")).to_be_hidden()
    expect(body).to_have_attribute("data-view", "cores")
    expect(member.locator("#cores-past")).to_be_visible()
    expect(member.locator("#wall")).to_be_hidden()
    expect(body).to_have_attribute("data-view", "devices")
    assert member.evaluate("window.awake") == "screen"
    assert member.evaluate("document.documentElement.dataset.theme") == "light"
    large = member.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    member.goto(stage.url + "/wall?kiosk&rotate=0")
    usual = member.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert large == pytest.approx(1.5 * usual, rel=0.01)
    member.keyboard.press("n")
    expect(body).to_have_attribute("data-view", "devices")


def test_a_slow_screen_looks_once_connected_and_then_now_and_then(
    member: Page, stage: Stage
) -> None:
    heard: list[object] = []
    said: list[object] = []

    def follow(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: heard.append(frame))
        socket.on("framesent", lambda frame: said.append(frame))

    member.on("websocket", follow)
    member.clock.install()
    member.add_init_script(LINES + "window.away = true;")
    member.goto(stage.url + "/wall?kiosk&rotate=0&refresh=60")
    word = member.locator("#connection-word")
    expect(word).to_have_text("reconnecting")
    member.clock.fast_forward(10_000)
    member.evaluate("window.away = false")
    member.clock.fast_forward(10_000)
    expect(word).to_have_text("live")
    until_told(member)
    until(member, lambda: said[-1] == RESTS)
    assert said.index(RESTS) > 0  # something was shown and acknowledged before
    after_first = until_quiet(member, heard)  # though four samples a second pass by
    member.clock.fast_forward(60_000)
    until(member, lambda: len(heard) > after_first)
    until(member, lambda: said[-1] == RESTS)
    expect(member.locator("#stale")).to_be_hidden()


@pytest.mark.parametrize("view", ["fleet", "devices", "cores", "work"])
def test_the_wall_fits_its_screen(member: Page, stage: Stage, view: str) -> None:
    member.goto(f"{stage.url}/wall?kiosk&rotate=0&view={view}")
    height = "document.documentElement.scrollHeight"
    assert member.evaluate(height) <= 720
    member.set_viewport_size({"width": 390, "height": 844})
    assert member.evaluate("document.documentElement.scrollWidth") <= 390
