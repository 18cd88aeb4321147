from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from devices.views.csp import POLICY
from fleetdash.static_serving import StaticFiles

pytestmark = pytest.mark.asyncio
SCRIPT = b"export const pace = 4;\n" * 40


async def _pages(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"Django"})


@pytest.fixture
def files(settings: Any, tmp_path: Path) -> StaticFiles:
    settings.STATIC_ROOT = tmp_path / "collected"
    scripts = settings.STATIC_ROOT / "js"
    scripts.mkdir(parents=True)
    (scripts / "main.js").write_bytes(SCRIPT)
    (scripts / "main.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "secret").write_bytes(b"not yours")
    return StaticFiles(_pages)


async def _ask(
    files: StaticFiles, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    given = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    await files(scope, None, send)
    started, body = said
    found = {name.decode(): text.decode() for name, text in started["headers"]}
    return started["status"], found, body["body"]


async def test_a_file_comes_packed_for_whom_it_may_and_is_not_sent_twice(
    files: StaticFiles,
) -> None:
    status, headers, body = await _ask(files, "/static/js/main.js")
    assert (status, body) == (200, SCRIPT)
    assert headers["content-type"].startswith("text/javascript")
    assert headers["content-length"] == str(len(SCRIPT))
    status, packed, body = await _ask(files, "/static/js/main.js", accept_encoding="gzip, br")
    assert (status, packed["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == SCRIPT
    again = await _ask(files, "/static/js/main.js", if_none_match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")
    assert (await _ask(files, "/static/js/main.js", "HEAD"))[::2] == (200, b"")
    assert (await _ask(files, "/static/js/main.js", range="bytes=0-5"))[::2] == (206, b"export")


async def test_a_file_is_as_strict_as_a_page(files: StaticFiles) -> None:
    for asked in ({}, {"accept_encoding": "gzip"}):
        _, headers, _ = await _ask(files, "/static/js/main.js", **asked)
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert (await _ask(files, "/static/js/main.js", "POST"))[0] == 405


@pytest.mark.parametrize("path", ["/", "/static/js/none.js", "/static/../secret", "/static/"])
async def test_everything_else_is_for_django(files: StaticFiles, path: str) -> None:
    assert (await _ask(files, path))[::2] == (418, b"Django")
