"""The page of a real device: what it says is so, and what is pressed happens to it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import log_in
from tests.browser.conftest import Complaints

pytestmark = [pytest.mark.browser, pytest.mark.guest, pytest.mark.timeout(300)]

BOOT_MS = 120_000
SOON_MS = 30_000


def test_a_device_is_looked_at_tagged_unplugged_and_removed_from_its_page(
    page: Page, fleet: Any, complaints: Complaints
) -> None:
    log_in(page, fleet.url, fleet.admin_password)
    asked = fleet.api("POST", "operations", {"kind": "add", "count": 1})["id"]
    page.goto(f"{fleet.url}/operations/{asked}/")
    expect(page.locator("#operation-state")).to_have_text("done", timeout=BOOT_MS)
    page.locator("#outcomes tbody a").click()

    chip = page.locator("#device-state .chip")
    expect(chip).to_have_text("online")
    expect(page.locator("#machine-status")).to_contain_text(
        re.compile(r"running.*qemu answered in \d+ ms"), timeout=SOON_MS
    )
    expect(page.locator(".slot.runs")).to_contain_text("Slot A")
    expect(page.locator("#device-now")).to_contain_text("of a core", timeout=SOON_MS)
    expect(page.locator("#device-timeline")).to_contain_text(f"operation {asked}")
    assert "qemu-system-" in page.locator("#command").inner_text()

    page.locator("#new-tag").fill("bench, east")
    page.keyboard.press("Enter")
    expect(page.locator("#device-tags")).to_contain_text("east", timeout=SOON_MS)
    expect(page.locator("#device-timeline")).to_contain_text("tagged bench, east")

    page.locator("#press-power_off").click()
    page.locator("#confirm-yes").click()
    expect(chip).to_have_text("off", timeout=SOON_MS)
    expect(page.locator("#press-power_on")).to_have_attribute(
        "aria-disabled", "false", timeout=SOON_MS
    )
    expect(page.locator("#machine-status")).to_contain_text("there is no qemu to ask")
    ended, asked_for = (page.locator("#device-timeline li").nth(n) for n in (0, 1))
    expect(ended).to_contain_text("It was powered off.")
    expect(asked_for).to_contain_text("by admin operation")
    page.locator("#toasts a").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Power off 1 device")
    expect(page.locator("#operation-state")).to_have_text("done", timeout=SOON_MS)
    page.locator("#outcomes tbody a").click()

    page.locator("#press-remove").click()
    page.locator("#confirm-yes").click()
    expect(chip).to_have_text("gone", timeout=SOON_MS)
    assert complaints == []
