"""The device list in a real browser, without guests."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.chromium import log_in
from tests.browser.conftest import Complaints
from tests.browser.held import Held
from tests.browser.stage import PASSWORD, Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def listed(member: Page, stage: Stage) -> Page:
    """Somebody who looks at the list, 25 rows at a time."""
    member.goto(stage.url + "/devices/?size=25")
    expect(member.locator("#connection-word")).to_have_text("live")
    return member


def box(page: Page, number: int) -> Locator:
    return page.get_by_label(f"Select fd-{number:06d}")


def test_filters_and_order_are_in_the_address_and_go_back(
    listed: Page, complaints: Complaints
) -> None:
    rows = listed.locator("tbody tr")
    listed.locator(".facet summary", has_text="State").click()
    listed.get_by_label("failed").check()
    expect(rows).to_have_count(1)
    expect(listed.locator(".facet summary", has_text="State")).to_contain_text("failed")
    listed.get_by_label("online", exact=True).check()
    expect(rows).to_have_count(25)
    listed.keyboard.press("Escape")
    expect(listed.get_by_label("failed")).to_be_hidden()
    listed.locator("#sort-serial").click()
    expect(rows.first).to_contain_text("fd-000000")
    expect(listed.locator("th[aria-sort]")).to_contain_text("Serial")
    listed.get_by_label("Younger than").select_option("1d")
    expect(listed).to_have_url(
        re.compile(r"\?state=online&state=failed&younger=1d&sort=serial&size=25$")
    )
    listed.locator("#page-last").click()
    expect(rows).to_have_count(5)
    listed.go_back()
    expect(rows).to_have_count(25)
    expect(listed.locator("#sort-serial")).to_be_visible()
    listed.go_back()
    expect(listed.get_by_label("Younger than")).to_have_value("")
    assert complaints == []


def test_rows_are_selected_by_mouse_and_by_keys(listed: Page, complaints: Complaints) -> None:
    told, bar = listed.locator("#bulk-told"), listed.locator("#bulk")
    expect(bar).to_be_hidden()
    box(listed, 28).click()
    box(listed, 24).click(modifiers=["Shift"])
    expect(told).to_have_text("5 selected")
    box(listed, 26).focus()
    listed.keyboard.press("Space")
    expect(told).to_have_text("4 selected")
    listed.keyboard.press("ArrowUp")
    expect(box(listed, 27)).to_be_focused()
    listed.keyboard.press("Shift+ArrowDown")
    expect(told).to_have_text("5 selected")
    listed.keyboard.press("Escape")
    expect(bar).to_be_hidden()

    # over the page's end, and all that match
    listed.keyboard.press("a")
    expect(told).to_have_text("25 selected")
    listed.locator("#page-next").click()
    expect(box(listed, 0)).not_to_be_checked()
    box(listed, 0).check()
    expect(told).to_have_text("26 selected")
    listed.locator("#page-previous").click()
    expect(box(listed, 20)).to_be_checked()
    listed.get_by_role("button", name="Select all 30 that match").click()
    expect(told).to_have_text("All 30 that match")
    box(listed, 20).uncheck()
    expect(told).to_have_text("24 selected")
    # other devices are meant: nothing that is not seen stays selected
    listed.locator("#search").fill("fd-00001")
    expect(listed.locator("tbody tr")).to_have_count(10)
    expect(bar).to_be_hidden()
    assert complaints == []


def test_all_that_match_are_tagged_and_found_again(
    listed: Page, stage: Stage, complaints: Complaints
) -> None:
    listed.locator("#search").fill("fd-00001")
    expect(listed.locator("tbody tr")).to_have_count(10)
    listed.get_by_label("Select this page").check()
    listed.locator("#bulk").get_by_role("button", name="Tag").click()
    expect(listed.locator("#tagging h2")).to_have_text("Tag 10 devices?")
    assert violations(listed) == []
    listed.get_by_label("Add").fill("Lab rack-7")
    listed.keyboard.press("Enter")
    expect(listed.locator("#toasts")).to_contain_text("10 devices")
    expect(listed.locator("tbody tr").first.locator(".tag")).to_have_text(["lab", "rack-7"])
    expect(listed.locator("#bulk")).to_be_hidden()

    # what no longer is as it was confirmed is refused
    listed.goto(stage.url + "/devices/?tag=lab&size=25")
    for _ in range(2):
        listed.keyboard.press("a")
    reboot = listed.get_by_role("button", name="Reboot")
    reboot.click()
    expect(listed.locator("#confirm-question")).to_have_text("Reboot 10 devices?")
    listed.get_by_role("button", name="Leave it").click()
    expect(listed.locator("#bulk-told")).to_have_text("10 selected")
    assert complaints == []


def test_a_view_is_saved_and_marked_and_deleted(listed: Page, complaints: Complaints) -> None:
    listed.locator("#search").fill("fd-00002")
    expect(listed.locator("tbody tr")).to_have_count(10)
    listed.get_by_role("button", name="Save this view").click()
    listed.get_by_label("Name").fill("the twenties")
    listed.keyboard.press("Enter")
    view = listed.get_by_role("link", name="the twenties")
    expect(view).to_have_attribute("aria-current", "true")
    listed.locator("#search").fill("")
    expect(listed.locator("tbody tr")).to_have_count(25)
    expect(view).not_to_have_attribute("aria-current", "true")
    view.click()
    expect(listed.locator("#search")).to_have_value("fd-00002")
    listed.get_by_role("button", name="Delete the view the twenties").click()
    expect(view).to_have_count(0)
    assert complaints == []


def test_on_a_phone_rows_are_cards_and_nothing_sticks_out(listed: Page) -> None:
    listed.set_viewport_size({"width": 390, "height": 844})
    box(listed, 28).check()
    assert listed.evaluate("document.documentElement.scrollWidth") == 390
    card = listed.locator("tbody tr").first.bounding_box()
    assert card and card["height"] > 80
    listed.get_by_label("Order").select_option("serial")
    expect(listed.locator("tbody tr").first).to_contain_text("fd-000000")
    assert violations(listed) == []


def test_back_to_the_list_shows_it_as_it_is_now(listed: Page) -> None:
    link = listed.get_by_role("link", name="fd-000008")
    link.click()
    listed.get_by_label("A tag to give it").fill("seen")
    listed.keyboard.press("Enter")
    expect(listed.locator("#device-tags")).to_contain_text("seen")
    listed.go_back()
    expect(listed.locator("tbody tr", has=link).locator(".tag")).to_have_text(["seen"])
    expect(link).to_be_in_viewport()  # as far down as it was left


def test_what_is_selected_outlives_a_look_at_a_device_and_no_session(
    listed: Page, stage: Stage, complaints: Complaints
) -> None:
    told, bar, live = (listed.locator(f"#{id}") for id in ("bulk-told", "bulk", "connection-word"))
    box(listed, 28).check()
    listed.locator("#page-next").click()
    box(listed, 0).check()
    expect(told).to_have_text("2 selected")
    listed.go_back()
    expect(box(listed, 28)).to_be_checked()
    expect(told).to_have_text("2 selected")
    box(listed, 27).check()
    listed.get_by_role("link", name="fd-000028").click()
    listed.wait_for_url("**/devices/fd-000028/")
    listed.go_back()
    expect(told).to_have_text("3 selected")
    expect(box(listed, 27)).to_be_checked()

    # other devices are listed, and the list anew
    listed.goto(stage.url + "/devices/?q=fd-00002")
    listed.go_back()
    expect(live).to_have_text("live", timeout=20_000)
    expect(box(listed, 28)).not_to_be_checked()
    expect(bar).to_be_hidden()
    box(listed, 28).check()
    listed.locator(".places").get_by_role("link", name="Devices").click()
    listed.wait_for_url("**/devices/")
    expect(live).to_have_text("live", timeout=20_000)
    expect(bar).to_be_hidden()

    # somebody else's are not one's own
    box(listed, 28).check()
    listed.context.clear_cookies()
    log_in(listed, stage.url, PASSWORD)
    listed.evaluate("history.go(-2)")
    listed.wait_for_url("**/devices/")
    expect(live).to_have_text("live", timeout=20_000)
    expect(box(listed, 28)).not_to_be_checked()
    expect(bar).to_be_hidden()
    assert complaints == []


def test_what_left_the_list_meanwhile_is_not_selected_again(
    listed: Page, stage: Stage, complaints: Complaints
) -> None:
    told, bar, toasts = (listed.locator(f"#{id}") for id in ("bulk-told", "bulk", "toasts"))
    listed.goto(stage.url + "/devices/?q=fd-00001&state=online")
    for number in (13, 14, 15):
        box(listed, number).check()
    listed.get_by_role("link", name="fd-000015").click()
    listed.wait_for_url("**/devices/fd-000015/")
    asked = Held(listed, "**/devices/still-listed?*")
    stage.keep(13, "gone")
    stage.keep(14, "failed", slot=14)
    try:
        listed.go_back()
        asked.nth(0)
        expect(box(listed, 15)).not_to_be_checked()
        expect(bar).to_be_hidden()
        # who goes on meanwhile asks again when back
        listed.reload()
        asked.nth(1).continue_()
        expect(toasts).to_have_text("2 of 3 selected are no longer in this list.")
        expect(told).to_have_text("1 selected")
        expect(box(listed, 15)).to_be_checked()

        listed.reload()
        asked.nth(2).fulfill(status=502)
        expect(toasts).to_contain_text("The server did not say")
        expect(bar).to_be_hidden()
    finally:
        stage.keep(13, "online", slot=13)
        stage.keep(14, "online", slot=14)
    assert [text for text in complaints if "502" not in text] == []
