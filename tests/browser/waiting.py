"""Waiting for a page; what its browser tells is taken in meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sized

from playwright.sync_api import Page

WITHIN_S = 20.0
LOOK_MS = 50
QUIET_MS = 700
_HAS_PLACES = "async () => (await import('/static/js/places.js')).occupied() > 0"


def until(page: Page, holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Return once it is so; fails when it is not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        page.wait_for_timeout(LOOK_MS)


def until_told(page: Page) -> None:
    """Return once the page has been told of devices."""
    until(page, lambda: bool(page.evaluate(_HAS_PLACES)))


def until_quiet(page: Page, heard: Sized) -> int:
    """Return once nothing more is heard for `QUIET_MS`: how much was until then."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        before = len(heard)
        page.wait_for_timeout(QUIET_MS)
        if len(heard) == before:
            return before
        assert time.monotonic() < deadline, "it does not fall silent"
