"""The whole thing from where a person sits: a button is pressed and a real device comes online."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import log_in
from tests.browser.conftest import Complaints

pytestmark = [pytest.mark.browser, pytest.mark.guest, pytest.mark.timeout(240)]


def _figure(page: Page, name: str) -> int:
    return int((page.get_by_test_id(name).text_content() or "0").replace(",", ""))


def test_plus_one_brings_a_real_device_online_and_undo_takes_it(
    page: Page, fleet: Any, complaints: Complaints
) -> None:
    log_in(page, fleet.url, fleet.admin_password)
    expect(page.locator("#connection-word")).to_have_text("live")
    online, total = _figure(page, "online"), _figure(page, "total")
    page.locator('button[data-kind="add"][data-count="1"]').click()
    expect(page.locator("#toasts")).to_contain_text("Starting 1 device.")
    expect(page.get_by_test_id("online")).to_have_text(f"{online + 1:,}", timeout=120_000)
    expect(page.locator("#operations li").first).to_contain_text("done")

    # its cell on the wall is lit, and leads to it
    page.get_by_text("Devices as a table").click()
    expect(page.locator("#wall-table")).to_contain_text(f"online{online + 1:,}")
    page.get_by_text("Devices as a table").click()
    page.locator("#wall-box").focus()
    page.keyboard.press("End")
    expect(page.locator("#wall-spoken")).to_contain_text(": online")
    page.keyboard.press("Enter")
    expect(page.locator("#command")).to_contain_text("qemu-system-aarch64")
    page.locator("#console").scroll_into_view_if_needed()  # what is not seen is not painted
    expect(page.locator("#console")).to_contain_text("fleetdash: online")

    page.goto(fleet.url + "/")
    page.get_by_role("button", name="Undo: Add 1 device").first.click()
    expect(page.locator("#toasts")).to_contain_text("Undoing: removing 1 device.")
    expect(page.locator("#counts")).to_have_attribute("data-total", str(total), timeout=60_000)
    expect(page.get_by_test_id("online")).to_have_text(f"{online:,}")
    assert complaints == []


@pytest.mark.parametrize(
    "name", ["web", "gateway", "worker", "control", "beat", "poller", "redis"]
)
def test_the_page_comes_back_by_itself_when_a_process_is_killed(
    page: Page, fleet: Any, name: str
) -> None:
    log_in(page, fleet.url, fleet.admin_password)
    word = page.locator("#connection-word")
    expect(word).to_have_text("live")
    page.evaluate("window.sameDocument = true")
    killed = fleet.processes()[name]
    os.kill(killed.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while fleet.processes().get(name, killed).pid == killed.pid:
        assert time.monotonic() < deadline, f"{name} was not started again"
        page.wait_for_timeout(200)
    deadline = time.monotonic() + 60
    # what is shown moves again, in the page that was open all the time
    minute = "document.getElementById('cores-past').toDataURL()"
    page.wait_for_timeout(500)
    before = page.evaluate(minute)
    while page.evaluate(minute) == before:
        assert time.monotonic() < deadline, "the page stands still"
        page.wait_for_timeout(200)
    expect(word).to_have_text("live")
    expect(page.locator("#stale")).to_be_hidden()
    assert page.evaluate("window.sameDocument")
