"""What Daphne 4 lacks for devices: denial with a status, bounds, no pings, a short way.

Daphne refuses a WebSocket with 403 only, keeps a request's body of any size and whatever a device
does not read, answers pings without end, and pings every socket, which wakes an idle guest. It has
no setting or hook for these, so its two protocol classes are replaced by these, which only add.
"""

from __future__ import annotations

import http
import logging
import time
from collections.abc import Callable
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne import http_protocol, ws_protocol
from twisted.web.http import datetimeToString

from devices.gateway.allowance import Allowance
from devices.gateway.answer import Application, Receive, Scope, Send
from devices.gateway.consumer import HEAR
from devices.gateway.phoenix import MESSAGE_BYTES
from devices.gateway.status import BODY_BYTES
from fleetdash.backlog import waiting_bytes
from fleetdash.close_codes import ClosingSocket
from fleetdash.direct import framed

# none of these has types
_Socket: Any = ClosingSocket
_Request: Any = http_protocol.WebRequest
_deny: Any = ConnectionDeny
_date: Callable[[], bytes] = datetimeToString

log = logging.getLogger(__name__)

MOST_WAITING_BYTES = 256 * 1024  # on their way to a device
REFUSED_BODY = b'{"detail": "A request here is at most %d bytes."}' % BODY_BYTES


class DeviceSocket(_Socket):  # type: ignore[misc]
    """A WebSocket that can be denied with any status (ASGI's Websocket Denial Response).

    A device that says more than it may, or does not read what it asked for, is cut off.
    """

    _serial = ""
    _denial: dict[str, Any] | None = None
    _denial_body = b""
    _hear: Callable[[str], None] | None = None

    def connectionMade(self) -> None:
        """Begin to count what is said."""
        self._allowance = Allowance()
        super().connectionMade()

    def onConnect(self, request: Any) -> Any:
        """Limit messages before they are buffered; end a bad connection with a code."""
        self.maxMessagePayloadSize = self.maxFramePayloadSize = MESSAGE_BYTES
        self.failByDrop = False
        return super().onConnect(request)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Take the application's message; a denial ends the handshake."""
        if message["type"] == "websocket.http.response.start":
            self._denial = message
        elif message["type"] == "websocket.http.response.body":
            self._denial_body += message.get("body", b"")
            if not message.get("more_body", False) and hasattr(self, "handshake_deferred"):
                assert self._denial is not None
                code = int(self._denial["status"])
                self.handshake_deferred.errback(_deny(code, _phrase(code)))
                del self.handshake_deferred
                self.server.protocol_disconnected(self)
        elif message["type"] == HEAR:
            self._serial, self._hear = message["serial"], message["hear"]
            message["opened"](self)
        else:
            super().handle_reply(message)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes off the network, and none of who said too much."""
        self._allowance.received(len(data), time.monotonic())
        if not self._is_cut_off():
            super().dataReceived(data)

    def processData(self) -> bool:
        """Take the next part of a frame; gives whether there is more to take."""
        return not self._is_cut_off() and super().processData()

    def onFrameBegin(self) -> None:
        """Count a frame, whatever it carries."""
        self._allowance.framed()
        super().onFrameBegin()

    def sendData(self, data: bytes, *more: Any, **named: Any) -> None:
        """Write to a device that reads."""
        if waiting_bytes(self.transport) > MOST_WAITING_BYTES:
            self._cut_off(f"more than {MOST_WAITING_BYTES >> 10} KiB are waiting to be read")
        else:
            super().sendData(data, *more, **named)

    def _is_cut_off(self) -> bool:
        if self._allowance.exceeded:
            self._cut_off(self._allowance.exceeded)
        return bool(self.state == self.STATE_CLOSED)

    def _cut_off(self, reason: str) -> None:
        if self.state != self.STATE_CLOSED:
            log.warning("%s: cut off, %s", self._serial or self.peer, reason)
            self.wasNotCleanReason = reason
            self.dropConnection(abort=True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Hand a text frame to the consumer at once, if it has asked for that."""
        if self._hear is None or isBinary or self.muted:
            super().onMessage(payload, isBinary)
            return
        self.last_ping = time.time()
        self._hear(payload.decode())

    def say(self, text: str) -> None:
        """Send a text frame; nothing happens when the socket is not open."""
        if self.state == self.STATE_OPEN:
            self.sendData(framed(text))

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """Answer a handshake that failed: the application's denial, or a bare status."""
        headers = [(b"Date", _date()), (b"Content-Length", b"0")]
        if self._denial is not None:
            headers = self._denial["headers"]
        headers = [*headers, (b"Connection", b"close")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        first = f"HTTP/1.1 {code} {_phrase(code)}\r\n".encode()
        self.sendData(first + lines + b"\r\n" + self._denial_body)

    def check_timeouts(self) -> None:
        """Limit the handshake; the consumer has its own timeout for silence."""
        if self.state == self.STATE_CONNECTING:
            super().check_timeouts()


def _phrase(code: int) -> str:
    return http.HTTPStatus(code).phrase


class SmallRequest(_Request):  # type: ignore[misc]
    """A request whose body is refused as soon as it is known to be too long."""

    _received = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Refuse a body that says it is too long."""
        super().gotLength(min(length, BODY_BYTES) if length is not None else BODY_BYTES)
        if length is not None and length > BODY_BYTES:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a part of the body, or refuse one that has become too long."""
        self._received += len(data)
        if self._received > BODY_BYTES:
            self._refuse()
        elif not self._refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Hand a whole request to the application, unless it was refused."""
        return None if self._refused else super().process()

    def _refuse(self) -> None:
        if self._refused:
            return
        self._refused = True
        self.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nDate: "
            + _date()
            + b"\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "
            + str(len(REFUSED_BODY)).encode()
            + b"\r\n\r\n"
            + REFUSED_BODY
        )
        self.channel.loseConnection()


def announced(application: Application) -> Application:
    """The application, told in each WebSocket's scope that frames may be handed to it at once."""

    async def with_extension(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope.setdefault("extensions", {})[HEAR] = {}
        await application(scope, receive, send)

    return with_extension


def install() -> None:
    """Make Daphne in this process use these classes for connections to come."""
    ws_protocol.WebSocketFactory.protocol = DeviceSocket
    setattr(http_protocol, "WebRequest", SmallRequest)  # noqa: B010
