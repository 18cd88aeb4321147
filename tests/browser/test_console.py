"""One person types on a real device's console, another watches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import log_in
from tests.browser.conftest import Complaints
from tests.fleet import Fleet
from tests.integration.test_life import operate, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.guest, pytest.mark.timeout(240)]

SCREEN = "#console .xterm-accessibility-tree"


@pytest.fixture
def serial(fleet: Fleet) -> Iterator[str]:
    """A real device that is online: a clone; tests/firmware types on a cold one."""
    wait_until(fleet.template_is_ready, 90)
    before = {each["serial"] for each in fleet.api("GET", "devices")["devices"]}
    assert operate(fleet, "add", 1)["state"] == "succeeded"
    devices: list[dict[str, Any]] = fleet.api("GET", "devices?state=online")["devices"]
    (made,) = {each["serial"] for each in devices} - before
    yield made
    removal = fleet.api("POST", "operations", {"kind": "remove", "serials": [made]})
    address = f"operations/{removal['id']}"
    wait_until(lambda: fleet.api("GET", address)["state"] != "running", 90)


def test_one_types_and_another_sees_what_comes_of_it(
    page: Page, browser: Browser, fleet: Fleet, serial: str, complaints: Complaints
) -> None:
    log_in(page, fleet.url, fleet.admin_password)
    # a terminal that is not seen is not painted, nor is its text
    page.set_viewport_size({"width": 1280, "height": 3000})
    context = browser.new_context(viewport={"width": 390, "height": 3000})
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    watching = context.new_page()
    for each in (page, watching):
        each.goto(f"{fleet.url}/devices/{serial}/")
        expect(each.locator(SCREEN)).to_contain_text("fleetdash: online")
        expect(each.locator("#console-typist")).to_have_text("Read only")

    # who has not asked to type cannot
    watching.locator("#console .xterm-helper-textarea").focus()
    watching.keyboard.type("echo never-$((40+2))\n")

    page.get_by_role("button", name="Type").click()
    expect(page.get_by_role("button", name="Stop typing")).to_be_visible()
    expect(watching.locator("#console-typist")).to_have_text("admin is typing")
    expect(watching.get_by_role("button", name="Take over")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(SCREEN)).to_contain_text("built-in shell")
    page.keyboard.type("echo hello-$((40+2))\n")
    for each in (page, watching):
        expect(each.locator(SCREEN)).to_contain_text("hello-42")
    # ^C reaches what the shell runs
    page.keyboard.type("echo reads-$((6*7)); cat\n")
    expect(page.locator(SCREEN)).to_contain_text("reads-42")
    page.keyboard.type("again\n")
    expect(page.locator(SCREEN)).to_contain_text("againagain")
    page.keyboard.press("Control+c")
    expect(page.locator(SCREEN)).to_contain_text(
        re.compile(rf"\^C\s*{serial}:~#")
    )
    page.keyboard.type("echo after-$?\n")
    expect(watching.locator(SCREEN)).to_contain_text("after-130")
    assert "never-42" not in watching.locator(SCREEN).inner_text()

    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Type")).to_be_focused()
    expect(watching.locator("#console-typist")).to_have_text("Read only")
    page.reload()
    expect(page.locator(".events")).to_contain_text("echo hello-$((40+2)) ⏎")
    expect(page.locator(SCREEN)).to_contain_text("hello-42")  # from the ring
    assert complaints == []
    context.close()
