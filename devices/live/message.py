"""What goes to a browser in one piece."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Message:
    """Text (HTML) or bytes (frames), and the number by which a browser acknowledges it.

    One message serves every browser that lacks the same; `framed` and `deflated` are kept for the
    sockets, the first of which fills them in.
    """

    sequence: int
    content: str | bytes
    framed: bytes = b""
    deflated: bytes = b""
