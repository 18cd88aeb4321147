from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.chromium import chromium, log_in
from tests.browser.stage import PASSWORD, Stage

# what is waited for comes in its time also where many tests share few cores
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests."""
    with chromium() as found:
        yield found


class Complaints(list[str]):
    """What the browser's console complained of."""


# the terminal warms its glyphs in idle time and tells when a piece of that took longer than the
# browser had promised: it speaks of how busy the machine is, not of our page
NO_COMPLAINT = "task queue exceeded allotted deadline"


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(browser: Browser, complaints: Complaints) -> Iterator[Page]:
    """A fresh visitor; what the console complains of is gathered."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    made = context.new_page()

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and NO_COMPLAINT not in message.text:
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


@pytest.fixture(scope="session")
def session_cookies(browser: Browser, stage: Stage) -> list[Any]:
    """What a browser holds after the log-in; made once, for a password takes its time."""
    context = browser.new_context()
    log_in(context.new_page(), stage.url, PASSWORD)
    cookies = list(context.cookies())
    context.close()
    return cookies


@pytest.fixture
def member(page: Page, session_cookies: list[Any]) -> Page:
    """Somebody who is logged in and has no page open yet."""
    page.context.add_cookies(session_cookies)
    return page


@pytest.fixture
def inside(member: Page, stage: Stage) -> Page:
    """Somebody who looks at the dashboard."""
    member.goto(stage.url + "/")
    expect(member.locator("#connection-word")).to_have_text("live")
    return member
