from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.browser.chromium import chromium
from tests.browser.stage import Stage


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests."""
    with chromium() as found:
        yield found


class Complaints(list[str]):
    """What the browser's console complained of."""


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(browser: Browser, complaints: Complaints) -> Iterator[Page]:
    """A fresh visitor; what the console complains of is gathered."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    made = context.new_page()

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    made.on("console", hear)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The page without guests."""
    made = Stage(tmp_path_factory.mktemp("stage"))
    yield made
    made.end()
