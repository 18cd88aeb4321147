"""Daphne's end of an event stream: one who does not read is cut off.

A client that stands still would fill the memory of the web process (`fleetdash/backlog.py`).
"""

from __future__ import annotations

from typing import Any

from daphne import http_protocol

from fleetdash.backlog import waiting_bytes
from fleetdash.direct_sockets import MOST_WAITING_BYTES

EVENT_STREAM = b"text/event-stream"

_Request: Any = http_protocol.WebRequest


class BoundedRequest(_Request):  # type: ignore[misc]
    """Daphne's request; the connection of a stream for which too much is waiting is closed."""

    _streams = False

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Take the application's message."""
        if message["type"] == "http.response.start":
            self._streams = any(
                name.lower() == b"content-type" and value.startswith(EVENT_STREAM)
                for name, value in message.get("headers", ())
            )
        elif (
            self._streams
            and self.channel is not None
            and waiting_bytes(self.channel.transport) > MOST_WAITING_BYTES
        ):
            self.channel.transport.abortConnection()
            return
        super().handle_reply(message)


def install() -> None:
    """Make Daphne in this process use this class for requests to come."""
    setattr(http_protocol, "WebRequest", BoundedRequest)  # noqa: B010
