"""The page of a device and the log of operations in a real browser, without guests."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints
from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

LIVE = re.compile("live")
COPIED = re.compile("Copied|Selected")
TELL = """
import time
from devices.services import bus, health, presence
for n in range(3):
    at = time.time() - 90 + 45 * n
    report = health.report(at, {"load_1min": 0.25 * n, "mem_used_mb": 40 + n, "mem_size_mb": 100,
                                "uptime_s": 600.0})
    bus.heard_from(["fd-000006"], at)
    presence.renew(["fd-000006"], at, {"fd-000006": report})
"""
BEGIN = """
from django.utils import timezone
from devices.models import Device, Operation, Target
from devices.services import bus
operation = Operation.objects.create(kind="reboot", count=2, created_at=timezone.now(), id=77)
for device in Device.objects.filter(slot__in=(10, 11)):
    Target.objects.create(operation=operation, device=device)
bus.publish_changes(operations=[77])
"""
ONE_DONE = """
from django.utils import timezone
from devices.models import Target
from devices.services import bus
one = Target.objects.filter(operation_id=77, outcome="pending").first()
Target.objects.filter(id=one.id).update(outcome="done", ended_at=timezone.now())
bus.publish_changes(operations=[77])
"""
END = """
from django.utils import timezone
from devices.models import Operation, Target
from devices.services import bus
Target.objects.filter(operation_id=77, outcome="pending").update(
    outcome="failed", reason="It did not come back.", ended_at=timezone.now())
Operation.objects.filter(id=77).update(state="partly", ended_at=timezone.now())
bus.publish_changes(operations=[77])
"""

REMARKS = """
from django.utils import timezone
from devices.models import Device, Event
device = Device.objects.get(serial="fd-000009")
Event.objects.bulk_create(
    Event(device=device, at=timezone.now(), text=f"remark {n}") for n in range(1, 26))
"""


def _open(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#connection-word")).to_have_text(LIVE)
    page.evaluate("window.sameDocument = true")


def test_a_device_is_followed_without_a_reload(
    member: Page, stage: Stage, complaints: Complaints
) -> None:
    _open(member, stage.url + "/devices/fd-000006/")
    chip = member.locator("#device-state .chip")
    reboot, on = member.locator("#press-reboot"), member.locator("#press-power_on")
    expect(chip).to_have_text("online")
    expect(on).to_have_attribute("title", "It is on already.")
    expect(reboot).to_have_attribute("aria-disabled", "false")

    stage.change(6, "off")
    expect(chip).to_have_text("off")
    expect(on).to_have_attribute("aria-disabled", "false")
    expect(reboot).to_have_attribute("title", "It is off: power it on instead.")
    expect(member.locator("#machine-status")).to_contain_text("there is no qemu to ask")
    stage.change(6, "online")
    expect(reboot).to_have_attribute("aria-disabled", "false")

    stage.run(TELL)
    now = member.locator("#device-now")
    expect(now).to_contain_text("0.50")
    expect(now).to_contain_text("42 % of")
    expect(now.locator("h2 time")).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(now.locator("svg.trend").first).to_have_attribute(
        "aria-label", "Load over the last 90 s: from 0.00 to 0.50, now 0.50"
    )
    assert member.evaluate("window.sameDocument")
    member.set_viewport_size({"width": 390, "height": 844})
    assert member.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []


def test_pulling_the_plug_is_asked_about_in_so_many_words(member: Page, stage: Stage) -> None:
    member.clock.install()
    _open(member, stage.url + "/devices/fd-000007/")
    copy = member.locator("[data-copy=command]")
    for _ in range(2):
        copy.click()
        expect(copy).to_have_text(COPIED)
        member.clock.fast_forward(1500)
    expect(copy).to_have_text(COPIED)
    member.clock.fast_forward(1500)
    expect(copy).to_have_text("Copy")

    member.locator("#press-power_off").focus()
    member.keyboard.press("Enter")
    expect(member.locator("#confirm-question")).to_have_text("Power off fd-000007?")
    expect(member.locator("#confirm-detail")).to_contain_text("The plug is pulled")
    expect(member.locator("#confirm-yes")).to_have_text("Power off")
    member.keyboard.press("Escape")
    expect(member.locator("#confirm")).to_be_hidden()
    member.locator("#press-power_on").click(force=True)
    expect(member.locator("#confirm")).to_be_hidden()


def test_an_operation_is_followed_to_its_end(
    member: Page, stage: Stage, complaints: Complaints
) -> None:
    _open(member, stage.url + "/operations/")
    stage.run(BEGIN)
    row = member.locator("#log tbody tr").first
    expect(row).to_contain_text("Reboot 2 devices")
    expect(row).to_contain_text("0 of 2")
    stage.run(ONE_DONE)
    expect(row).to_contain_text("1 of 2")
    assert member.evaluate("window.sameDocument")
    row.get_by_role("link").click()
    member.wait_for_url("**/operations/77/")
    member.evaluate("window.sameDocument = true")
    expect(member.locator("#connection-word")).to_have_text(LIVE)
    expect(member.locator("#outcomes tbody tr").first).to_contain_text("pending")
    stage.run(END)
    expect(member.locator("#operation-state")).to_have_text("partly done")
    first = member.locator("#outcomes tbody tr").first
    expect(first).to_contain_text("It did not come back.")
    expect(first).to_contain_text("failed")
    expect(member.locator("#retry-77")).to_be_visible()
    assert member.evaluate("window.sameDocument")
    assert complaints == []


def test_the_log_is_filtered_in_its_place_and_back_is_what_was_before(
    member: Page, stage: Stage, complaints: Complaints
) -> None:
    _open(member, stage.url + "/operations/")
    log, what = member.locator("#log"), member.get_by_label("What")
    what.focus()
    what.select_option("remove")
    member.wait_for_url("**kind=remove*")
    expect(log).to_contain_text("No operation matches.")
    expect(what).to_be_focused()
    what.select_option("reboot")
    member.wait_for_url("**kind=reboot*")
    expect(log.locator("tbody")).to_contain_text("Reboot 3 devices")
    assert member.evaluate("window.sameDocument")
    member.go_back()
    expect(log).to_contain_text("No operation matches.")
    expect(what).to_have_value("remove")
    assert complaints == []


def test_older_events_are_shown_in_the_place_of_newer_ones(
    member: Page, stage: Stage, complaints: Complaints
) -> None:
    stage.run(REMARKS)
    _open(member, stage.url + "/devices/fd-000009/")
    timeline = member.locator("#device-timeline")
    expect(timeline.get_by_text("remark 25", exact=True)).to_be_visible()
    member.get_by_role("link", name="Older →").focus()
    member.keyboard.press("Enter")
    member.wait_for_url("**before=*")
    expect(timeline.get_by_text("remark 5", exact=True)).to_be_visible()
    expect(timeline.get_by_text("remark 25", exact=True)).to_have_count(0)
    assert member.evaluate("window.sameDocument")
    expect(timeline.get_by_role("link", name="to the newest")).to_be_focused()
    member.go_back()
    expect(timeline.get_by_text("remark 25", exact=True)).to_be_visible()
    assert complaints == []


def test_devices_of_an_operation_that_has_ended_are_followed(
    member: Page, stage: Stage, complaints: Complaints
) -> None:
    _open(member, stage.url + "/operations/1/")
    first, second = (
        member.locator("#outcomes tbody tr", has_text=f"fd-00000{number}").locator(".chip")
        for number in (0, 1)
    )
    try:
        stage.change(0, "offline")
        expect(first).to_have_text("offline")
        # while nobody listens one goes, and its place is another's
        member.keyboard.press("p")
        expect(member.locator("#stale-age")).to_have_text("PAUSED")
        stage.keep(1, "gone")
        for state in ("gone", "requested", "off"):
            stage.publish(1, state)
        member.keyboard.press("p")
        expect(second).to_have_text("gone")
        stage.change(0, "online")
        expect(first).to_have_text("online")
        expect(second).to_have_text("gone")
    finally:
        stage.change(0, "online")
        stage.change(1, "online")
    assert member.evaluate("window.sameDocument")
    assert complaints == []
