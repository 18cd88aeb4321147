"""`bin/bench idle`: what the control plane and idle devices cost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from bench import fleet, guests, processes


def run(*, count: int, seconds: float, page_password: str | None) -> dict[str, Any]:
    """CPU (per cent of one core) and PSS (MiB) of each of our processes and of a mean device.

    `count` devices are online and idle; with `page_password` one real browser has the page open.
    """
    running = fleet.find()
    running.empty()
    running.operate("add", count)
    with _page(running.url, page_password):
        time.sleep(20)  # what starting stirred up comes to rest
        ours = processes.recorded(running.var)
        devices = guests.recorded(running.var)
        before = {name: processes.cost(pid) for name, pid in ours.items()}
        before_guests = [processes.cost(pid).cpu_s for pid in devices]
        began = time.monotonic()
        time.sleep(seconds)
        took_s = time.monotonic() - began
        after = {name: processes.cost(pid) for name, pid in ours.items()}
        after_guests = [processes.cost(pid) for pid in devices]
    cpu = {
        name: 100 * (after[name].cpu_s - before[name].cpu_s) / took_s for name in sorted(ours)
    }
    memory = {name: after[name].pss_kib / 1024 for name in sorted(ours)}
    guest_cpu = [
        100 * (cost.cpu_s - was) / took_s
        for cost, was in zip(after_guests, before_guests, strict=True)
    ]
    running.empty()
    return {
        "devices": len(devices),
        "seconds": round(took_s, 1),
        "page_open": page_password is not None,
        "cpu_percent_of_a_core": {k: round(v, 2) for k, v in cpu.items()},
        "pss_mib": {k: round(v, 1) for k, v in memory.items()},
        "control_plane_cpu_percent": round(sum(cpu.values()), 2),
        "control_plane_pss_mib": round(sum(memory.values()), 1),
        "device_cpu_percent_mean": round(sum(guest_cpu) / max(1, len(guest_cpu)), 3),
        "device_pss_mib_mean": round(
            sum(cost.pss_kib for cost in after_guests) / 1024 / max(1, len(after_guests)), 1
        ),
    }


@contextlib.contextmanager
def _page(url: str, password: str | None) -> Iterator[None]:
    if password is None:
        yield
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(url)
        page.locator("input[name=username]").fill("admin")
        page.locator("input[name=password]").fill(password)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/")
        yield
        browser.close()
