"""Real devices are found in the list and acted on together."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import log_in
from tests.browser.conftest import Complaints
from tests.fleet import Fleet
from tests.integration.test_life import operate

pytestmark = [pytest.mark.browser, pytest.mark.guest, pytest.mark.timeout(300)]


def act(page: Page, name: str) -> None:
    """Press a button of the bar, once the rows of the list are all selected."""
    page.get_by_label("Select this page").check()
    page.locator("#bulk").get_by_role("button", name=name, exact=True).click()


def test_devices_are_tagged_found_powered_off_and_removed_together(
    page: Page, fleet: Fleet, complaints: Complaints
) -> None:
    added = operate(fleet, "add", 2)
    assert added["state"] == "succeeded"
    log_in(page, fleet.url, fleet.admin_password)
    page.goto(fleet.url + "/devices/?younger=1w&sort=age")
    rows = page.locator("tbody tr")
    for row in (rows.nth(0), rows.nth(1)):
        row.get_by_role("checkbox").check()
    page.locator("#bulk").get_by_role("button", name="Tag").click()
    page.get_by_label("Add").fill("on-show")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Tagging 2 devices.")

    page.goto(fleet.url + "/devices/?tag=on-show&state=online&state=off&state=powering_off")
    expect(rows).to_have_count(2)
    expect(page.locator("#connection-word")).to_have_text("live", timeout=30_000)
    act(page, "Power off")
    expect(page.locator("#confirm-question")).to_have_text("Power off 2 devices?")
    page.locator("#confirm-yes").click()
    for row in (rows.nth(0), rows.nth(1)):
        expect(row.locator(".chip")).to_have_text(re.compile("^off$"), timeout=60_000)

    # all that match, by the keys: the first a is this page, which is all there is
    page.keyboard.press("a")
    expect(page.locator("#bulk-told")).to_have_text("2 selected")
    page.locator("#bulk").get_by_role("button", name="Remove").click()
    page.locator("#confirm-yes").click()
    expect(rows.nth(0).locator(".chip")).to_have_text(
        re.compile("stopping|gone"), timeout=60_000
    )
    page.goto(fleet.url + "/devices/?tag=on-show&state=gone&state=stopping")
    expect(rows).to_have_count(2)
    assert complaints == []
