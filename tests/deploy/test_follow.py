from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fleetdash.deploy import cli_file, follow, starts, supervision
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.progress import Progress


class Answers(BaseHTTPRequestHandler):
    """Says how many devices there are, and keeps what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"online": 1, "total": 2}')

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


def serve(asked: list[str]) -> Iterator[str]:
    handler = type("Handler", (Answers,), {"asked": asked})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page_asked() -> list[str]:
    return []


@pytest.fixture
def page(page_asked: list[str]) -> Iterator[str]:
    """The address of a fleet's page."""
    yield from serve(page_asked)


@pytest.fixture
def proxy_asked() -> list[str]:
    return []


@pytest.fixture
def proxy(proxy_asked: list[str]) -> Iterator[str]:
    """The address of a proxy that the environment names."""
    yield from serve(proxy_asked)


def test_the_token_goes_to_the_page_and_to_no_proxy(
    page: str,
    page_asked: list[str],
    proxy: str,
    proxy_asked: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    here = Installation(tmp_path, tmp_path)
    for folder in ("run", "secrets"):
        (tmp_path / folder).mkdir()
    cli_file.write(tmp_path, cli_file.Access(page, "fdt_key"))
    start = starts.begin(here.run)
    monkeypatch.setattr(supervision, "states", lambda _: {"web": "RUNNING"})
    monkeypatch.setattr("time.sleep", lambda _: starts.stop_restarting(here.run))
    out = io.StringIO()
    assert not follow.until_interrupted(here, Progress(out), start)
    assert "1 of 2 devices online" in out.getvalue()
    assert (page_asked, proxy_asked) == (["/api/v1/summary"], [])
