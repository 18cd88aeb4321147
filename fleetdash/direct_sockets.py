"""Daphne's end of the short way of `fleetdash/direct.py`."""

from __future__ import annotations

import struct
import time
from typing import Any

from daphne import ws_protocol

from fleetdash import direct
from fleetdash.close_codes import ClosingSocket

_ACK_HEADER = bytes((direct.BINARY, 0x80 | 4))
_ACK_SIZE = 10
_MASKED = struct.Struct("<II")

MOST_WAITING_BYTES = 1 << 20  # on their way to a browser
MOST_UNHEARD = 256  # messages of a browser


class DirectSocket(ClosingSocket):
    """Daphne's WebSocket with the short way added."""

    _line: direct.Line | None = None

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Take the application's message."""
        if message["type"] == direct.OPEN:
            if self.state == self.STATE_OPEN:
                self._line = message["line"]
                message["line"].opened(self)
        else:
            super().handle_reply(message)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take bytes off the network, acknowledgements first."""
        if self._line is not None and data.startswith(_ACK_HEADER) and self._is_between_frames():
            self.last_ping = time.time()  # Daphne pings only who has been silent
            while len(data) >= _ACK_SIZE and data.startswith(_ACK_HEADER):
                mask, masked = _MASKED.unpack_from(data, 2)
                self._line.acknowledged(mask ^ masked)
                data = data[_ACK_SIZE:]
            if not data:
                return
        super().dataReceived(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        """Hand a message to the application, unless it is already far behind with this browser's.

        Daphne's queue has no end; no page says so much.
        """
        if self.application_queue.qsize() > MOST_UNHEARD:
            self.transport.abortConnection()
            return
        super().onMessage(payload, isBinary)

    def _is_between_frames(self) -> bool:
        return not self.data and self.current_frame is None and self.state == self.STATE_OPEN

    def write(self, framed: bytes) -> None:
        """Send whole WebSocket frames, at once if the kernel takes them.

        A browser for which too much is waiting already is cut off: it can only be one that
        acknowledges without reading, and Daphne has no back-pressure (django/daphne#170).
        """
        if self.state != self.STATE_OPEN:
            return
        transport = self.transport
        waiting = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        if waiting > MOST_WAITING_BYTES:
            transport.abortConnection()
            return
        if not waiting and transport.connected:
            # one system call instead of three, and the first of many browsers is not kept waiting
            # until all have been given theirs
            taken = transport.writeSomeData(framed)
            if taken == len(framed):
                return
            if isinstance(taken, int) and taken > 0:
                framed = framed[taken:]
        transport.write(framed)


def install() -> None:
    """Make Daphne in this process use this class for connections to come."""
    ws_protocol.WebSocketFactory.protocol = DirectSocket
