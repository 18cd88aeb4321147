"""Requests of a page that wait until the test says what becomes of them."""

from __future__ import annotations

import time

from playwright.sync_api import Page, Route

LOOK_MS = 20


class Held:
    """The requests to addresses of a pattern, oldest first, each held back."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.routes: list[Route] = []
        self._page = page
        page.route(pattern, self._hold)

    def _hold(self, route: Route) -> None:
        self.routes.append(route)

    def nth(self, place: int, timeout_s: float = 20.0) -> Route:
        """The request of this place, once it has been made."""
        deadline = time.monotonic() + timeout_s
        while len(self.routes) <= place:
            assert time.monotonic() < deadline, f"request {place} was not made"
            self._page.wait_for_timeout(LOOK_MS)
        return self.routes[place]
