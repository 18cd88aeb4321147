"""For hands on a keyboard, for ears, for eyes that need contrast."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Complaints
from tests.browser.stage import Stage
from tests.browser.waiting import until, until_told

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PAGES = (
    "/", "/devices/", "/devices/fd-000001/", "/operations/", "/operations/1/", "/history",
    "/tokens/", "/api/v1/docs", "/hosts/stage/", "/wall", "/wall?kiosk&view=cores",
)
MIDDLE_OF = """async (slot) => {
  const { layout } = await import("/static/js/wall.js");
  const x = layout.left[slot % layout.columns], y = layout.top[Math.floor(slot / layout.columns)];
  const pen = document.getElementById("wall").getContext("2d");
  const { data } = pen.getImageData((x + layout.w / 2) * layout.scale,
    (y + layout.h * 0.25) * layout.scale, 1, 1);
  return [...data].slice(0, 3);
}"""


def middle_of(page: Page, slot: int) -> list[int]:
    """The colour of a place on the wall."""
    colour: list[int] = page.evaluate(MIDDLE_OF, slot)
    return colour


def until_painted(page: Page) -> tuple[list[int], list[int]]:
    """Return once devices are on the wall: the colours of those online and of one that failed."""
    until(page, lambda: middle_of(page, 4) == middle_of(page, 6) != middle_of(page, 29))
    return middle_of(page, 6), middle_of(page, 29)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing(member: Page, stage: Stage, theme: str) -> None:
    found = {}
    for address in PAGES:
        member.goto(f"{stage.url}{address}{'&' if '?' in address else '?'}theme={theme}")
        member.wait_for_timeout(300)
        for summary in member.locator("summary:visible").all():
            summary.evaluate("each => each.click()")  # what another opened may lie over it
        found[address] = violations(member)
    member.context.clear_cookies()
    for address in ("/login/", "/wall?key=wrong"):
        member.goto(stage.url + address)
        found[address] = violations(member)
    assert {address: bad for address, bad in found.items() if bad} == {}


def test_axe_finds_nothing_in_a_question(inside: Page) -> None:
    inside.locator('button[data-kind="remove"][data-count="100"]').click()
    expect(inside.locator("#confirm")).to_be_visible()
    assert violations(inside) == []


def test_the_arrow_keys_walk_the_wall_and_enter_opens(
    inside: Page, stage: Stage, complaints: Complaints
) -> None:
    until_told(inside)
    inside.locator("#wall-box").focus()
    inside.keyboard.press("Home")
    spoken = inside.locator("#wall-spoken")
    expect(spoken).to_have_text(re.compile(r"fd-000000: online, .* of a core"))
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft"):
        inside.keyboard.press(key)
    expect(spoken).to_contain_text("fd-000001")
    expect(inside.locator("#wall-tip")).to_contain_text("fd-000001")
    inside.keyboard.press("End")
    expect(spoken).to_contain_text("fd-000029: failed")
    inside.keyboard.press("Enter")
    inside.wait_for_url("**/devices/fd-000029/")
    assert complaints == []


def test_the_wall_shows_a_state_in_its_cell_and_in_its_table(inside: Page, stage: Stage) -> None:
    online, failed = until_painted(inside)
    inside.get_by_text("Devices as a table").click()
    table = inside.locator("#wall-table")
    expect(table).to_contain_text("failed1")
    stage.change(4, "failed")
    expect(table).to_contain_text("failed2")
    until(inside, lambda: middle_of(inside, 4) == failed)
    stage.change(4, "online")
    expect(table).to_contain_text("failed1")
    until(inside, lambda: middle_of(inside, 4) == online)  # a birth glows for a while


def test_the_minute_of_the_cores_outlives_a_look_at_a_device(inside: Page, stage: Stage) -> None:
    columns = """() => {
      const canvas = document.getElementById("cores-past"), pen = canvas.getContext("2d");
      const { data } = pen.getImageData(0, canvas.height - 3, canvas.width, 1);
      const empty = data.slice(0, 3).join();
      let filled = 0;
      for (let i = 0; i < data.length; i += 4) filled += data.slice(i, i + 3).join() !== empty;
      return filled / (canvas.width / 240);
    }"""
    until(inside, lambda: bool(inside.evaluate(columns) >= 8))
    before = inside.evaluate(columns)
    inside.goto(stage.url + "/devices/fd-000001/")
    inside.goto(stage.url + "/")
    until(inside, lambda: bool(inside.evaluate(columns)))
    assert inside.evaluate(columns) >= before


def test_pause_stands_still_and_goes_on(inside: Page) -> None:
    inside.keyboard.press("p")
    expect(inside.locator("#stale-age")).to_have_text("PAUSED")
    note = "document.getElementById('cores').toDataURL()"

    def stands_still() -> bool:
        before = inside.evaluate(note)
        inside.wait_for_timeout(1200)
        return bool(inside.evaluate(note) == before)

    until(inside, stands_still)
    before = inside.evaluate(note)
    inside.keyboard.press("p")
    expect(inside.locator("#stale")).to_be_hidden()
    until(inside, lambda: inside.evaluate(note) != before)


def test_k_is_the_kiosk_and_keys_can_be_turned_off(inside: Page, stage: Stage) -> None:
    inside.keyboard.press("?")
    inside.locator("#keys-off").check()
    inside.keyboard.press("Escape")
    inside.keyboard.press("k")
    inside.wait_for_timeout(300)
    assert inside.url == stage.url + "/"
    inside.get_by_role("button", name="Keyboard shortcuts").click()
    inside.locator("#keys-off").uncheck()
    inside.keyboard.press("Escape")
    inside.keyboard.press("k")
    inside.wait_for_url("**/wall?kiosk")
    inside.keyboard.press("f")
    expect(inside.locator("html:fullscreen")).to_be_attached()


def test_stage_mode_asks_nothing_and_says_for_how_long(inside: Page) -> None:
    inside.get_by_label("Stage mode").check()
    expect(inside.locator("#armed-left")).to_have_text("for 30 more minutes")
    inside.evaluate("""document.addEventListener("htmx:beforeRequest", (event) => {
      event.preventDefault(); window.asked = event.detail.requestConfig.path; })""")
    inside.locator('button[data-kind="remove"][data-count="100"]').click()
    expect(inside.locator("#confirm")).to_be_hidden()
    assert inside.evaluate("window.asked") == "/devices/remove"
    inside.get_by_label("Stage mode").uncheck()
    inside.locator('button[data-kind="remove"][data-count="100"]').click()
    expect(inside.locator("#confirm")).to_be_visible()


def test_reduced_motion_is_obeyed(inside: Page, stage: Stage) -> None:
    inside.emulate_media(reduced_motion="reduce")
    inside.reload()
    expect(inside.locator("#connection-word")).to_have_text("live")
    online, _ = until_painted(inside)
    stage.change(5, "booting")
    expect(inside.get_by_test_id("count-booting")).to_have_text("1")
    until(inside, lambda: middle_of(inside, 5) != online)
    inside.evaluate("""async (middle) => {
      window.seen = new Set();
      const look = async () => { window.seen.add((await middle(5)).join()); setTimeout(look, 10); };
      look();
    }""".replace("(middle)", "()").replace("middle(5)", f"({MIDDLE_OF})(5)"))
    stage.change(5, "online")
    expect(inside.get_by_test_id("count-booting")).to_have_text("0")
    newest = "[...window.seen].at(-1)"
    until(inside, lambda: inside.evaluate(newest) == ",".join(map(str, online)))
    assert inside.evaluate("window.seen.size") == 2  # booting, online, nothing between
