"""However a connection ends, the page comes back to it by itself, and soon."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripts import LINES
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

ADDRESS = "/devices/?q=fd-000014"
DELAYS = """async (name) => {
  const random = Math.random;
  Math.random = () => 1;
  const delay = (await import("/static/js/attempts.js"))[name];
  const delays = Array.from({ length: 20 }, (_, n) => delay(n));
  Math.random = random;
  return delays;
}"""
# The waits, in ms, until so many connections that the server ended are made again, where so many
# knocks find nobody.
WAITS = """async ([ends, nobody]) => {
  const { ended } = await import("/static/js/attempts.js");
  const later = window.setTimeout, waits = [];
  window.setTimeout = (act, ms, ...given) => { waits.push(ms); return later(act, 0, ...given); };
  Math.random = () => 1;
  window.fetch = async () => {
    nobody -= 1;
    if (nobody >= 0) throw new TypeError("nobody is there");
    return { status: 200 };
  };
  for (let n = 0; n < ends; n += 1) await new Promise((reconnect) => ended(1008, { reconnect }));
  return waits;
}"""
KNOCK = "async () => (await import('/static/js/knock.js')).knock()"


def _live(page: Page) -> None:
    expect(page.locator("#connection-word")).to_have_text("live")


def test_a_refused_word_costs_a_moment_and_not_the_page(member: Page, stage: Stage) -> None:
    member.add_init_script(LINES)
    member.goto(stage.url + ADDRESS)
    _live(member)
    member.evaluate("window.sameDocument = true")
    member.evaluate("window.lines[0].send(JSON.stringify({ nonsense: 1 }))")
    member.wait_for_function("() => window.lines.length === 2")
    _live(member)
    assert member.evaluate("window.sameDocument")
    # refused again and again, it asks less and less often
    refused = member.evaluate(DELAYS, "refusedDelay")
    assert refused[:3] == [1000, 2000, 4000]
    assert refused[-1] == 60_000
    # a page that is gone is answered by a server that is there
    told = [404, 503]
    member.route("**" + ADDRESS, lambda route: route.fulfill(status=told.pop(0)))
    assert member.evaluate(KNOCK) is True
    assert member.evaluate(KNOCK) is False


def test_a_server_that_is_away_has_not_refused_anything(page: Page, stage: Stage) -> None:
    page.goto(stage.url + "/login/")  # no connection of its own
    assert page.evaluate(WAITS, [1, 9]) == [1000, 2000, 4000, *[8000] * 6]
    assert page.evaluate(WAITS, [3, 0]) == [1000, 2000, 4000]


def test_after_a_long_outage_it_is_back_within_seconds(member: Page, stage: Stage) -> None:
    member.clock.install()
    member.add_init_script(LINES)
    member.goto(stage.url + ADDRESS)
    _live(member)
    assert max(member.evaluate(DELAYS, "delay")) == 8000
    assert member.evaluate("htmx.config.wsReconnectDelay(20)") <= 8000
    # an attempt that nobody answers is given up
    member.evaluate("window.lost = true; window.lines[0].close()")
    member.wait_for_function("() => window.lines.length === 2")
    member.clock.fast_forward(25_000)
    member.wait_for_function("() => window.lines.length === 3")
    _live(member)
