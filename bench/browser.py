"""A real Chromium with the page open, which notes when each frame of the wall arrives in it."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator
from typing import Any

from bench import processes
from bench.errors import BenchError
from bench.person import NAME

# every socket of the page is heard, whoever opens it; the time is that of the page
_LISTEN = """
(() => {
  const Real = window.WebSocket;
  window.__wall = [];
  window.__listening = false;
  window.WebSocket = class extends Real {
    constructor(...words) {
      super(...words);
      this.addEventListener("message", (event) => {
        if (!window.__listening || typeof event.data === "string") return;
        const at = Date.now() / 1000;
        const keep = (buffer) => {
          const bytes = new Uint8Array(buffer);
          let text = "";
          for (const byte of bytes) text += String.fromCharCode(byte);
          window.__wall.push([at, btoa(text)]);
        };
        if (event.data instanceof ArrayBuffer) keep(event.data);
        else event.data.arrayBuffer().then(keep);
      });
    }
  };
})();
"""


class Page:
    """The fleet's page, open; belongs to the thread that opened it."""

    def __init__(self, page: Any, pids: list[int]) -> None:
        self._page = page
        self.pids = pids

    def listen(self) -> None:
        """Note frames from now on."""
        self._page.evaluate("window.__wall = []; window.__listening = true")

    def heard(self) -> list[tuple[float, bytes]]:
        """The frames since `listen` with the Unix time each arrived at; stops noting."""
        found = self._page.evaluate("window.__listening = false, window.__wall")
        return [(float(at), base64.b64decode(text)) for at, text in found]


@contextlib.contextmanager
def page(url: str, password: str | None) -> Iterator[Page | None]:
    """The dashboard open in a Chromium; without a password nothing is opened."""
    if password is None:
        yield None
        return
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise BenchError("--page needs playwright; bin/test installs it") from None
    before = processes.tree([os.getpid()])
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            opened = browser.new_page(viewport={"width": 1280, "height": 720})
            opened.add_init_script(_LISTEN)
            opened.goto(url)
            opened.locator("input[name=username]").fill(NAME)
            opened.locator("input[name=password]").fill(password)
            opened.keyboard.press("Enter")
            opened.wait_for_url(f"{url}/")
        except Error as error:
            raise BenchError(f"the page could not be opened in Chromium: {error}") from error
        yield Page(opened, sorted(processes.tree([os.getpid()]) - before))
        with contextlib.suppress(Error):
            browser.close()
