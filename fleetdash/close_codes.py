"""What Daphne 4 lacks for every socket: ending with any close code of RFC 6455.

Autobahn lets an application send 1000 and 3000–4999 only; on anything else Daphne fails the
connection with 1011, after which a browser's page does not come back by itself.
"""

from __future__ import annotations

from typing import Any

from daphne import ws_protocol

# Daphne has no types
_Socket: Any = ws_protocol.WebSocketProtocol

REASON_BYTES = 123


class ClosingSocket(_Socket):  # type: ignore[misc]
    """A WebSocket whose application may end it with any code and a reason."""

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Take the application's message."""
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            reason = message.get("reason") or ""
            code = message.get("code") or 1000
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:REASON_BYTES])
        else:
            super().handle_reply(message)


def install() -> None:
    """Make Daphne in this process use this class for connections to come."""
    ws_protocol.WebSocketFactory.protocol = ClosingSocket
