"""What is pressed once is done once, and a press never ends in silence."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.held import Held
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

TOAST = '<li class="toast done"><p>Starting 10 devices.</p></li>'
REFUSAL = '<li class="toast error"><p>Nothing was done.</p></li>'
# what the page does with a piece it was sent: another element of the same id and meaning
REPLACE = """(id) => {
  const old = document.getElementById(id), fresh = old.cloneNode(true);
  old.replaceWith(fresh);
  window.htmx.process(fresh);
  return true;
}"""


def test_a_press_is_done_once_until_it_is_answered(inside: Page) -> None:
    asked = Held(inside, "**/devices/add")
    ten = inside.locator('button[data-kind="add"][data-count="10"]')
    toasts = inside.locator("#toasts")
    ten.dblclick()
    asked.nth(0).abort()
    expect(toasts).to_contain_text("The server did not answer.")

    ten.click()
    asked.nth(1).fulfill(body=TOAST, content_type="text/html")
    expect(toasts).to_contain_text("Starting 10 devices.")
    ten.click()
    asked.nth(2).fulfill(body=TOAST, content_type="text/html")
    # one for each click that was not the second half of a double click
    lost, again, another = (route.request.headers["idempotency-key"] for route in asked.routes)
    assert lost == again != another


def test_a_yes_holds_for_the_button_that_came_in_its_place(member: Page, stage: Stage) -> None:
    asked = Held(member, "**/act/reboot")
    member.goto(stage.url + "/devices/fd-000012/")
    reboot, yes = member.locator("#press-reboot"), member.locator("#confirm-yes")
    reboot.click()
    assert member.evaluate(REPLACE, "act-reboot")
    yes.click()
    asked.nth(0).fulfill(body=TOAST, content_type="text/html")
    expect(member.locator("#toasts")).to_contain_text("Starting")

    reboot.click()
    assert member.evaluate(REPLACE, "act-reboot")
    reboot.evaluate("button => button.setAttribute('aria-disabled', 'true')")
    yes.click()
    expect(member.locator("#toasts .error")).to_have_text(
        "That has changed meanwhile. Nothing was done."
    )
    assert len(asked.routes) == 1


def test_a_button_that_is_off_says_why_to_a_finger(member: Page, stage: Stage) -> None:
    member.goto(stage.url + "/devices/fd-000012/")
    member.locator("#press-power_on").click(force=True)
    expect(member.locator("#toasts")).to_contain_text("It is on already.")


def test_one_act_at_a_time_on_the_selected(member: Page, stage: Stage) -> None:
    asked = Held(member, "**/devices/act")
    member.goto(stage.url + "/devices/?q=fd-000012")
    member.get_by_label("Select fd-000012").check()
    reboot = member.locator("#bulk").get_by_role("button", name="Reboot")
    question = member.locator("#confirm-question")
    reboot.click()
    member.locator("#confirm-yes").click()
    first = asked.nth(0)
    reboot.click()
    expect(question).to_be_hidden()
    # what is refused leaves the selection as it was, what is granted ends it
    first.fulfill(status=409, body=REFUSAL, content_type="text/html")
    expect(member.locator("#toasts .error")).to_be_visible()
    reboot.click()
    expect(question).to_have_text(re.compile("Reboot 1 device"))
    member.locator("#confirm-yes").click()
    asked.nth(1).fulfill(body=TOAST, content_type="text/html")
    expect(member.locator("#bulk")).to_be_hidden()
