"""A short way between the live page and its sockets: what both ends of it know.

By the usual way each message passes four queues and tasks and is framed again for each browser. An
application that finds `EXTENSION` in the scope's extensions may, after accepting, send the ASGI
message `{"type": OPEN, "line": line}`. `line.opened(socket)` is then called; from then on
`socket.write(framed)` sends bytes that are whole WebSocket frames already, and a binary message of
exactly four bytes, deflated or not, which is an acknowledgement, is handed to
`line.acknowledged(number)` at once instead of to the application. Everything else goes the usual
way. `fleetdash/direct_sockets.py` is the server's end.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

EXTENSION = "fleetdash.direct"
OPEN = "fleetdash.direct.open"

TEXT, BINARY = 0x81, 0x82  # whole, and the last of its message
DEFLATED = 0x40  # permessage-deflate (RFC 7692)
_LEVEL = 6
_TAIL = b"\x00\x00\xff\xff"

Application = Callable[..., Awaitable[Any]]


class Socket(Protocol):
    """What a line is given; `inflates` says whether the browser takes deflated text."""

    inflates: bool

    def write(self, framed: bytes) -> None:
        """Send whole WebSocket frames; nothing happens when the socket is not open."""


class Line(Protocol):
    """What an application gives."""

    def opened(self, socket: Socket) -> None:
        """The socket may be written to from now on."""

    def acknowledged(self, number: int) -> None:
        """The browser acknowledged this number."""


def framed(content: str | bytes, *, deflate: bool = False) -> bytes:
    """The WebSocket frame (RFC 6455, unmasked, as a server sends it) with this content.

    With `deflate` it is compressed by itself (RFC 7692 without context), so that one frame serves
    every browser that takes such.
    """
    payload = content.encode() if isinstance(content, str) else content
    first = TEXT if isinstance(content, str) else BINARY
    if deflate:
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
        payload, first = packed.removesuffix(_TAIL), first | DEFLATED
    length = len(payload)
    if length < 126:
        header = struct.pack("!BB", first, length)
    elif length < 1 << 16:
        header = struct.pack("!BBH", first, 126, length)
    else:
        header = struct.pack("!BBQ", first, 127, length)
    return header + payload


def inflated(payload: bytes, most: int) -> bytes:
    """What was deflated by itself, its first `most` bytes; raises ValueError when it was not."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload + _TAIL, most)
    except zlib.error as error:
        raise ValueError("bytes that cannot be inflated") from error


def announced(application: Application) -> Application:
    """The application, told in each WebSocket's scope that the short way is there."""

    async def with_extension(
        scope: MutableMapping[str, Any], receive: Any, send: Any
    ) -> Any:
        if scope["type"] == "websocket":
            scope.setdefault("extensions", {})[EXTENSION] = {}
        return await application(scope, receive, send)

    return with_extension
