"""A short way between the live page and its sockets: what both ends of it know.

By the usual way each message passes four queues and tasks and is framed again for each browser. An
application that finds `EXTENSION` in the scope's extensions may, after accepting, send the ASGI
message `{"type": OPEN, "line": line}`. `line.opened(socket)` is then called; from then on
`socket.write(framed)` sends bytes that are whole WebSocket frames already, and a binary message of
exactly four bytes, which is an acknowledgement, is handed to `line.acknowledged(number)` at once
instead of to the application. Everything else goes the usual way. `fleetdash/direct_sockets.py` is
the server's end.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

EXTENSION = "fleetdash.direct"
OPEN = "fleetdash.direct.open"

TEXT, BINARY = 0x81, 0x82  # whole, and the last of its message

Application = Callable[..., Awaitable[Any]]


class Socket(Protocol):
    """What a line is given."""

    def write(self, framed: bytes) -> None:
        """Send whole WebSocket frames; nothing happens when the socket is not open."""


class Line(Protocol):
    """What an application gives."""

    def opened(self, socket: Socket) -> None:
        """The socket may be written to from now on."""

    def acknowledged(self, number: int) -> None:
        """The browser acknowledged this number."""


def framed(content: str | bytes) -> bytes:
    """The WebSocket frame (RFC 6455, unmasked, as a server sends it) with this content."""
    payload = content.encode() if isinstance(content, str) else content
    first = TEXT if isinstance(content, str) else BINARY
    length = len(payload)
    if length < 126:
        header = struct.pack("!BB", first, length)
    elif length < 1 << 16:
        header = struct.pack("!BBH", first, 126, length)
    else:
        header = struct.pack("!BBQ", first, 127, length)
    return header + payload


def announced(application: Application) -> Application:
    """The application, told in each WebSocket's scope that the short way is there."""

    async def with_extension(
        scope: MutableMapping[str, Any], receive: Any, send: Any
    ) -> Any:
        if scope["type"] == "websocket":
            scope.setdefault("extensions", {})[EXTENSION] = {}
        return await application(scope, receive, send)

    return with_extension
