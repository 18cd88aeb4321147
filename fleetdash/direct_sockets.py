"""Daphne's end of the short way of `fleetdash/direct.py`."""

from __future__ import annotations

import struct
import time
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from daphne import ws_protocol

from fleetdash import direct
from fleetdash.backlog import waiting_bytes
from fleetdash.close_codes import ClosingSocket

_ACK_HEADER = bytes((direct.BINARY, 0x80 | 4))
_ACK_SIZE = 10
_ACK_BYTES = 4
_MASKED = struct.Struct("<II")
# some browsers deflate even four bytes, to no more than this
_BINARIES = (bytes((direct.BINARY,)), bytes((direct.BINARY | direct.DEFLATED,)))
_MOST_PACKED = 12
MOST_SAID_BYTES = 1 << 16  # of a message that is inflated

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

    @property
    def inflates(self) -> bool:
        """Whether the browser takes deflated messages."""
        return self._perMessageCompress is not None

    @staticmethod
    def perMessageCompressionAccept(offers: list[Any]) -> Any:  # noqa: N802
        """Agree to deflate each message by itself, so that one serves many browsers."""
        for offer in offers:
            if isinstance(offer, PerMessageDeflateOffer) and not offer.request_max_window_bits:
                return PerMessageDeflateOfferAccept(
                    offer,
                    request_no_context_takeover=True,
                    no_context_takeover=True,
                    max_message_size=MOST_SAID_BYTES,
                )
        return None

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take bytes off the network, acknowledgements first."""
        if self._line is not None and data[:1] in _BINARIES and self._is_between_frames():
            while data.startswith(_ACK_HEADER) and len(data) >= _ACK_SIZE:
                mask, masked = _MASKED.unpack_from(data, 2)
                self._acknowledged(mask ^ masked)
                data = data[_ACK_SIZE:]
            while data[:1] == _BINARIES[1] and (size := self._take_packed(data)):
                data = data[size:]
            if not data:
                return
        super().dataReceived(data)

    def _acknowledged(self, number: int) -> None:
        self.last_ping = time.time()  # Daphne pings only who has been silent
        assert self._line is not None
        self._line.acknowledged(number)

    def _take_packed(self, data: bytes) -> int:
        """Take a deflated acknowledgement from the beginning; 0 when it is something else."""
        length = data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0
        size = 6 + length
        if not self.inflates or not 0 < length <= _MOST_PACKED or len(data) < size:
            return 0
        mask = data[2:6] * 3
        payload = bytes(byte ^ turned for byte, turned in zip(data[6:size], mask, strict=False))
        try:
            said = direct.inflated(payload, _ACK_BYTES + 1)
        except ValueError:
            return 0
        if len(said) != _ACK_BYTES:
            return 0
        self._acknowledged(int.from_bytes(said, "little"))
        return size

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
        acknowledges without reading (`fleetdash/backlog.py`).
        """
        if self.state != self.STATE_OPEN:
            return
        transport = self.transport
        waiting = waiting_bytes(transport)
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
