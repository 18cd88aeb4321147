"""A lever of the real machine is set from its page, kept by a new worker, and put back."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from devices.host import kernel_settings
from tests.browser.chromium import log_in
from tests.browser.conftest import Complaints

pytestmark = [
    pytest.mark.browser, pytest.mark.guest, pytest.mark.timeout(240),
    pytest.mark.skipif(
        os.geteuid() != 0 or bool(kernel_settings.why_not("vm/swappiness")),
        reason="needs root and a writable /proc/sys",
    ),
]  # fmt: skip


def test_swappiness_is_set_on_the_page_and_outlives_the_worker(
    page: Page, fleet: Any, complaints: Complaints
) -> None:
    host = fleet.api("GET", "hosts")["hosts"][0]["name"]
    before = int(kernel_settings.read("vm/swappiness") or "60")
    wanted = before + 1 if before < 200 else before - 1
    log_in(page, fleet.url, fleet.admin_password)
    page.get_by_role("link", name=host, exact=True).click()
    now = page.locator("#lever-swappiness-now")
    expect(now.locator("b").first).to_have_text(str(before), timeout=30_000)

    page.locator("#ksm-caveat").get_by_role("button").click()
    expect(page.locator("#ksm-caveat")).to_have_count(0)

    form = page.locator("#lever-swappiness-form")
    form.get_by_label("Swappiness").fill(str(wanted))
    form.get_by_role("button").click()
    question = page.locator("#confirm")
    expect(question).to_contain_text(f"Set swappiness of {host} to {wanted}?")
    expect(question).to_contain_text("This changes the machine, not only fleetdash.")
    question.get_by_role("button", name="Leave it").click()
    assert kernel_settings.read("vm/swappiness") == str(before), "nothing without a yes"
    form.get_by_role("button").click()
    question.get_by_role("button", name="Set swappiness").click()
    expect(now.locator("b").first).to_have_text(str(wanted))
    expect(now).to_contain_text(f"before fleetdash: {before}")
    expect(page.locator("#host-events")).to_contain_text(
        re.compile(f"swappiness: {before} → {wanted}.*by admin")
    )
    assert kernel_settings.read("vm/swappiness") == str(wanted)
    page.reload()
    expect(page.locator("#ksm-caveat")).to_have_count(0)
    assert complaints == []

    # whatever set it back meanwhile, a new worker sets what people wished for
    worker = fleet.processes()["worker"]
    os.kill(worker.pid, signal.SIGKILL)
    Path("/proc/sys/vm/swappiness").write_text(str(before))
    until = time.monotonic() + 90
    while kernel_settings.read("vm/swappiness") != str(wanted):
        assert time.monotonic() < until, "the new worker did not set it again"
        time.sleep(0.1)
    shown = json.loads(fleet.run("bin/fleet", "host", "--json").stdout)
    swappiness = next(each for each in shown[0]["levers"] if each["name"] == "swappiness")
    assert swappiness["asked"]["now"] == str(wanted)
    # what was there before comes back with bin/down: the fleet's fixture looks
