"""Scripts, style sheets, fonts and icons, answered before Django is asked.

A page of ours is some sixty files. By way of Django's middleware each costs the web process 2.5 to
3 ms, most of it changes of thread; WhiteNoise, which knows all of the files from the start, has the
answer at once.
"""

from __future__ import annotations

from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware

from devices.views.csp import POLICY
from fleetdash.direct import Application

# what Django's middleware says of every other answer
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
]


class StaticFiles:
    """An ASGI application: the files under STATIC_URL, all else by way of `pages`."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages
        known: Any = WhiteNoiseMiddleware()  # type: ignore[no-untyped-call]
        self._find = known.find_file if known.autorefresh else known.files.get

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        found: Any = self._find(scope["path"])
        if found is None:
            await self._pages(scope, receive, send)
            return
        asked = {
            "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        answer = found.get_response(scope["method"], asked)
        body = b""
        if answer.file is not None:
            with answer.file:
                body = answer.file.read()
        headers = HEADERS + [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
        ]
        status = int(answer.status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
