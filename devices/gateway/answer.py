"""The gateway's HTTP answers: a status and a sentence, in JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Scope = dict[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


def messages(
    status: int, body: dict[str, Any], headers: Headers = (), *, kind: str = "http"
) -> list[dict[str, Any]]:
    """The two ASGI messages of an answer; `kind` is `http` or `websocket.http` for a denial.

    Each carries the date: a device whose clock is wrong sets it from that.
    """
    content = json.dumps(body).encode()
    return [
        {
            "type": f"{kind}.response.start",
            "status": status,
            "headers": [
                (b"Content-Type", b"application/json"),
                (b"Date", formatdate(usegmt=True).encode()),
                (b"Content-Length", str(len(content)).encode()),
                *headers,
            ],
        },
        {"type": f"{kind}.response.body", "body": content},
    ]


async def say(send: Send, status: int, sentence: str, headers: Headers = ()) -> None:
    """Answer an HTTP request with a sentence."""
    for message in messages(status, {"detail": sentence}, headers):
        await send(message)


def headers_of(scope: Scope) -> dict[str, str]:
    """A request's headers, names in lower case; the last of a repeated one wins."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
