"""The live page in a real browser, without guests."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints
from tests.browser.stage import Stage
from tests.browser.waiting import until, until_told

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PIXELS = "document.getElementById('cores').toDataURL()"


def test_counts_rows_and_cores_follow_without_a_reload(
    inside: Page, stage: Stage, complaints: Complaints
) -> None:
    expect(inside.get_by_test_id("online")).to_have_text("29")
    inside.evaluate("window.sameDocument = true")
    first = inside.evaluate(PIXELS)
    stage.change(3, "offline")
    expect(inside.get_by_test_id("online")).to_have_text("28")
    expect(inside.get_by_test_id("count-offline")).to_have_text("1")
    stage.change(3, "online")
    expect(inside.get_by_test_id("online")).to_have_text("29")
    assert inside.evaluate("window.sameDocument")
    until(inside, lambda: inside.evaluate(PIXELS) != first)
    assert complaints == []


def test_the_list_searches_pages_and_follows(
    inside: Page, stage: Stage, complaints: Complaints
) -> None:
    inside.keyboard.press("/")
    expect(inside.locator("#search")).to_be_focused()
    inside.keyboard.type("fd-000007")
    expect(inside.locator("tbody tr")).to_have_count(1)
    assert "q=fd-000007" in inside.url
    stage.change(7, "offline")
    expect(inside.locator("#state-7")).to_have_text("offline")
    stage.change(7, "online")
    expect(inside.locator("#state-7")).to_have_text("online")
    inside.locator(".facet summary", has_text="State").click()
    inside.get_by_label("failed").check()
    expect(inside.locator(".empty")).to_contain_text("No device matches.")
    assert complaints == []


def test_a_device_shows_its_console_as_it_speaks(
    inside: Page, stage: Stage, complaints: Complaints
) -> None:
    stage.say("fd-000004", b"U-Boot 2023.01\r\n")
    inside.goto(stage.url + "/devices/fd-000004/")
    inside.locator("#console").scroll_into_view_if_needed()  # what is not seen is not painted
    expect(inside.locator("#console")).to_contain_text("U-Boot 2023.01")
    stage.say("fd-000004", b"Linux version \x1b[1m6.1\x1b[0m <b>")
    expect(inside.locator("#console")).to_contain_text("Linux version 6.1 <b>")
    rows = inside.locator("#console .xterm-accessibility-tree")
    assert rows.inner_text().count("U-Boot") == 1
    stage.change(4, "stopping")
    expect(inside.locator("#device-state .chip")).to_have_text("stopping")
    remove = inside.locator("#press-remove")
    expect(remove).to_have_attribute("aria-disabled", "true")
    stage.change(4, "online")
    expect(remove).to_have_attribute("aria-disabled", "false")
    assert inside.locator("#command").inner_text() == "qemu \\\n  -m 128"
    assert complaints == []


def test_a_cell_of_the_wall_opens_its_device(inside: Page, stage: Stage) -> None:
    until_told(inside)
    inside.locator("#wall").click(position={"x": 12, "y": 12})
    inside.wait_for_url("**/devices/fd-000000/")


def test_frozen_figures_say_so_and_recover(inside: Page, stage: Stage) -> None:
    expect(inside.locator("#stale")).to_be_hidden()
    stage.publishing.clear()
    try:
        expect(inside.locator("#stale-age")).to_have_text(re.compile(r"STALE \d+ s"))
        expect(inside.locator("#stale")).to_be_visible()
    finally:
        stage.publishing.set()
    expect(inside.locator("#stale")).to_be_hidden()


def test_the_page_comes_back_after_the_web_process_is_killed(inside: Page, stage: Stage) -> None:
    inside.evaluate("window.sameDocument = true")
    stage.kill_web()
    expect(inside.locator("#connection-word")).to_have_text("reconnecting")
    stage.start_web()
    expect(inside.locator("#connection-word")).to_have_text("live")
    expect(inside.locator("#stale")).to_be_hidden()
    assert inside.evaluate("window.sameDocument")


def test_a_hundred_is_asked_about_with_an_estimate(inside: Page, complaints: Complaints) -> None:
    button = inside.locator('button[data-kind="add"][data-count="100"]')
    button.click()
    expect(inside.locator("#confirm-question")).to_have_text("Add 100 devices?")
    expect(inside.locator("#confirm-detail")).to_contain_text("more fit")
    expect(inside.locator("#confirm-detail")).to_contain_text("is not known yet")
    inside.get_by_role("button", name="Leave it").click()
    expect(inside.locator("#confirm")).to_be_hidden()
    expect(inside.get_by_test_id("total")).to_have_text("30")
    assert complaints == []


def test_what_does_not_fit_is_off_and_says_why(inside: Page) -> None:
    button = inside.locator('button[data-kind="add"][data-count="1000"]')
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", re.compile(r"\d+ more fit"))
    button.click(force=True)
    expect(inside.locator("#confirm")).to_be_hidden()


def test_the_buttons_follow_what_fits_of_the_chosen_architecture(
    member: Page, stage: Stage, complaints: Complaints
) -> None:
    stage.run("from tests.rows import a_firmware\na_firmware(architecture='x64', sha256='f' * 64)")
    try:
        member.goto(stage.url + "/")
        expect(member.locator("#connection-word")).to_have_text("live")
        add = member.locator('button[data-kind="add"][data-count="1"]')
        expect(add).to_have_attribute("aria-disabled", "false")
        expect(member.locator("#capacity")).to_contain_text("more arm64 fit")
        member.locator("#architecture").select_option("x64")
        expect(add).to_have_attribute("title", "no x64 guest has booted on stage")
        expect(add).to_have_attribute("aria-disabled", "true")
        why = member.locator("#capacity").get_by_text("No x64 guest has booted on stage")
        expect(why).to_be_visible()
        member.locator("#architecture").select_option("arm64")
        expect(add).to_have_attribute("aria-disabled", "false")
        expect(why).to_be_hidden()
    finally:
        code = "from devices.models import Firmware\n"
        stage.run(code + "Firmware.objects.filter(architecture='x64').delete()")
    assert complaints == []


def test_themes_and_keys(inside: Page, complaints: Complaints) -> None:
    inside.keyboard.press("t")
    assert inside.evaluate("document.documentElement.dataset.theme") == "dark"
    inside.keyboard.press("t")
    paper = inside.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(247, 246, 242)"
    inside.keyboard.press("?")
    expect(inside.locator("#shortcuts")).to_be_visible()
    inside.locator("#keys-off").check()
    inside.keyboard.press("Escape")
    inside.keyboard.press("?")
    expect(inside.locator("#shortcuts")).to_be_hidden()
    assert complaints == []


@pytest.mark.parametrize(
    "address",
    ["/", "/devices/", "/devices/fd-000001/", "/operations/", "/operations/1/", "/tokens/"],
)
def test_nothing_is_wider_than_a_phone(inside: Page, stage: Stage, address: str) -> None:
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(stage.url + address)
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_moves_when_figures_change(inside: Page, stage: Stage) -> None:
    inside.evaluate("""() => {
      window.shift = 0;
      window.settledAt = performance.now();
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shift += entry.value;
        window.settledAt = performance.now();
      }).observe({ type: "layout-shift", buffered: false });
    }""")
    inside.wait_for_function("() => performance.now() - window.settledAt > 500")
    inside.evaluate("window.shift = 0")
    stage.change(5, "offline")
    inside.wait_for_timeout(2500)
    stage.change(5, "online")
    inside.wait_for_timeout(1500)
    assert inside.evaluate("window.shift") < 0.01
