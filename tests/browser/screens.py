"""Screenshots of a running fleet, every page in every size and theme: `bin/screens`."""

from __future__ import annotations

import argparse
import base64
import os
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.browser.chromium import chromium, log_in

SIZES = {"1920": (1920, 1080), "1280": (1280, 720), "390": (390, 844)}
THEMES = ("dark", "light")
SETTLE_MS = 1200  # a second's samples and a few frames
QUALITY = 62  # of WebP: flat colours and sharp letters survive it, in a few dozen kilobytes
ADDRESSES = {
    "fleet": "/",
    "devices": "/devices/",
    "device": "",
    "history": "/history",
    "operations": "/operations/",
    "operation": "",
    "host": "",
    "tokens": "/tokens/",
    "wall": "/wall",
    "wall-devices": "/wall?kiosk&rotate=0&view=devices",
    "wall-cores": "/wall?kiosk&rotate=0&view=cores",
    "wall-work": "/wall?kiosk&rotate=0&view=work",
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=os.environ.get("FLEETDASH_URL", "http://127.0.0.1:8000"))
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default=os.environ.get("FLEETDASH_PASSWORD", ""))
    parser.add_argument("--out", type=Path, default=Path("docs/screens"))
    parser.add_argument("--name", default="", help="a word before each file's name, such as idle")
    parser.add_argument("--only", nargs="*", default=[], help="pages, such as: login fleet")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--themes", nargs="*", default=list(THEMES))
    parser.add_argument("--add", type=int, choices=(1, 10, 100), help="press that button first")
    parser.add_argument("--cookie", default="", help="NAME=VALUE of a session, instead of a log-in")
    parser.add_argument("--full", action="store_true", help="the whole page, not what is seen")
    return parser.parse_args()


# pages of one of many: where the first of them is linked
FIRST = {
    "device": ("/devices/", "table.devices tbody th a"),
    "operation": ("/operations/", "main table tbody a"),
    "host": ("/", "#accelerators .machine h3 a"),
}


def _first(page: Page, url: str, listing: str, selector: str) -> str:
    page.goto(url + listing)
    link = page.locator(selector).first
    return str(link.get_attribute("href")) if link.count() else ""


def main() -> int:
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        cookies = _cookies(browser, given)
        for size in given.sizes:
            for theme in given.themes:
                _shoot(browser, given, size, theme, cookies)
    return 0


def _cookies(browser: Browser, given: argparse.Namespace) -> list[Any]:
    """A session's, given or by a log-in."""
    if given.cookie:
        name, _, value = given.cookie.partition("=")
        return [{"name": name, "value": value, "url": given.url}]
    context = browser.new_context()
    log_in(context.new_page(), given.url, given.password, given.user)
    cookies = list(context.cookies())
    context.close()
    return cookies


def _shoot(
    browser: Browser, given: argparse.Namespace, size: str, theme: str, cookies: list[Any]
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    wanted = given.only or ["login", *ADDRESSES]
    prefix = f"{given.name}-" if given.name else ""

    def take(what: str, address: str) -> None:
        joined = "&" if "?" in address else "?"
        page.goto(f"{given.url}{address}{joined}theme={theme}")
        page.wait_for_timeout(SETTLE_MS)
        file = given.out / f"{prefix}{what}-{size}-{theme}.webp"
        wish = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": given.full}
        if given.full:
            box = page.evaluate("""() => ({ x: 0, y: 0, scale: 1,
              width: document.body.scrollWidth, height: document.body.scrollHeight })""")
            wish["clip"] = box
        shot = context.new_cdp_session(page).send("Page.captureScreenshot", wish)
        file.write_bytes(base64.b64decode(shot["data"]))
        print(file)

    if "login" in wanted:
        take("login", "/login/")
    context.add_cookies(cookies)
    if given.add and theme == given.themes[0] and size == given.sizes[0]:
        page.goto(given.url)
        page.locator(f'button[data-kind="add"][data-count="{given.add}"]').click()
        if given.add >= 100:
            page.locator("#confirm-yes").click()
        page.wait_for_timeout(SETTLE_MS)
    firsts = {
        what: _first(page, given.url, *where) for what, where in FIRST.items() if what in wanted
    }
    for what, address in (ADDRESSES | firsts).items():
        if what in wanted and address:
            take(what, address)
    context.close()


if __name__ == "__main__":
    sys.exit(main())
