"""The device socket: performs the effects of `devices.gateway.protocol`."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Protocol
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError

from devices.gateway import nh1, orders, phoenix, protocol
from devices.gateway.answer import headers_of, messages
from devices.gateway.errors import Refused
from devices.gateway.ledger import ledger
from devices.gateway.protocol import Connection, Effect, Step
from devices.services.orders import Order

log = logging.getLogger(__name__)

PATH = "/device-socket/websocket"
VERSIONS = ("2.0.0",)
# By the usual way a frame passes a queue and three tasks, which costs more than all that is done
# with it. A server that knows this message calls `opened(socket)`, hands text frames to `hear`
# from then on, and takes answers through `socket.say`; `devices/gateway/server.py` does. `serial`
# is for its log.
HEAR = "fleetdash.hear"

# the one connection of each device in this process: a newer one ends the older
_current: dict[str, DeviceConsumer] = {}


class Socket(Protocol):
    """A device's socket, as the server gives it."""

    def say(self, text: str) -> None:
        """Send a text frame."""


def tell(serial: str, order: Order) -> bool:
    """Push an order to a device; False when it is not there to hear it."""
    there = _current.get(serial)
    return there is not None and there.push(order)


_Consumer: Any = AsyncWebsocketConsumer  # Channels has no types


class DeviceConsumer(_Consumer):  # type: ignore[misc]
    """One device's connection; refuses before accepting, then only performs effects."""

    connection: Connection | None = None
    _alarm: asyncio.TimerHandle | None = None
    _socket: Socket | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle a message, without Channels' trip to the database's thread before each."""
        match message["type"]:
            case "websocket.connect":
                await self.websocket_connect(message)
            case "websocket.receive":
                await self.websocket_receive(message)
            case "websocket.disconnect":
                await self.websocket_disconnect(message)
            case other:
                raise ValueError(f"{other} is not a message of a socket")

    async def connect(self) -> None:
        """Accept a device that proves itself; deny everything else with a fitting status."""
        try:
            serial = await self._authenticate()
        except Refused as refusal:
            log.info("A device socket was refused: %s", refusal)
            body = {"detail": str(refusal)}
            for message in messages(refusal.status, body, kind="websocket.http"):
                await self.base_send(message)
            return
        now_s = time.monotonic()
        self.connection = Connection(serial, heard_at_s=now_s)
        older = _current.get(serial)
        _current[serial] = self
        await self.accept()
        if HEAR in self.scope.get("extensions", {}):
            await self.base_send(
                {"type": HEAR, "serial": serial, "hear": self._hear, "opened": self._opened}
            )
        self._set_alarm(now_s)
        ledger().heard(serial)
        if older is not None and older.connection is not None:
            await older.perform(
                protocol.close(older.connection, protocol.NORMAL, "connected again elsewhere")
            )

    async def _authenticate(self) -> str:
        headers = headers_of(self.scope)
        if "origin" in headers:
            raise Refused(403, "Devices connect here; a browser page does not.")
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        if query.get("vsn", VERSIONS[:1])[-1] not in VERSIONS:
            raise Refused(400, f"This socket speaks Phoenix Channels {', '.join(VERSIONS)}.")
        claim = nh1.read(headers)
        try:
            secret = await ledger().secret_of(claim.serial)
        except DatabaseError as error:
            raise Refused(503, "The device cannot be looked up now; try again.") from error
        nh1.verify(claim, secret, time.time())
        return claim.serial

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Pass a frame to the protocol."""
        if self.connection is None:
            return
        if text_data is None:
            await self.perform(protocol.received_bytes(self.connection))
        else:
            ledger().traffic.received(len(text_data))
            now_s = time.monotonic()
            await self.perform(protocol.received_text(self.connection, text_data, now_s))

    def _opened(self, socket: Socket) -> None:
        self._socket = socket

    def _hear(self, text: str) -> None:
        if self.connection is None:
            return
        ledger().traffic.received(len(text))
        step = protocol.received_text(self.connection, text, time.monotonic())
        if any(isinstance(effect, protocol.Close) for effect in step[1]):
            self.connection = step[0]
            self._closing = asyncio.ensure_future(self.perform(step))
            return
        self.connection, effects = step
        for effect in effects:
            self._perform_now(self.connection.serial, effect)

    async def perform(self, step: Step) -> None:
        """Take the new state and perform the effects in their order."""
        self.connection, effects = step
        for effect in effects:
            await self._perform(self.connection.serial, effect)

    async def _perform(self, serial: str, effect: Effect) -> None:
        match effect:
            case protocol.Send(message) if self._socket is None:
                text = phoenix.encode(message)
                ledger().traffic.sent(len(text))
                await self.send(text_data=text)
            case protocol.Close(code, reason):
                log.info("%s: closed with %d, %s", serial, code, reason)
                await self.close(code, reason)
            case _:
                self._perform_now(serial, effect)

    def _perform_now(self, serial: str, effect: Effect) -> None:
        match effect:
            case protocol.Send(message):
                assert self._socket is not None
                text = phoenix.encode(message)
                ledger().traffic.sent(len(text))
                self._socket.say(text)
            case protocol.Heard():
                ledger().heard(serial)
            case protocol.Connected():
                ledger().connected(serial)
                order = orders.kept.take(serial)
                if order is not None:  # after the answer to its join
                    asyncio.get_running_loop().call_soon(self.push, order)
            case protocol.ReportHealth(metrics):
                ledger().health(serial, metrics)
            case protocol.Leaving():
                log.info("%s says that it leaves", serial)

    def push(self, order: Order) -> bool:
        """Push an order to the device; False when it is not there to hear it."""
        message = protocol.order(self.connection, order) if self.connection else None
        if self.connection is None or message is None:
            return False
        if self._socket is not None:
            self._socket.say(phoenix.encode(message))
        else:
            self._pushing = asyncio.ensure_future(self.send(text_data=phoenix.encode(message)))
        ledger().taken(self.connection.serial)
        return True

    def _set_alarm(self, now_s: float) -> None:
        assert self.connection is not None
        wait_s = max(0.1, protocol.silence_deadline_s(self.connection) - now_s)
        self._alarm = asyncio.get_running_loop().call_later(wait_s, self._alarm_rang)

    def _alarm_rang(self) -> None:
        # one timer a connection, set again only when it rings: a heartbeat costs none
        if self.connection is None or self.connection.phase is protocol.Phase.CLOSED:
            return
        now_s = time.monotonic()
        connection, effects = protocol.ticked(self.connection, now_s)
        if effects:
            self._closing = asyncio.ensure_future(self.perform((connection, effects)))
        else:
            self._set_alarm(now_s)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Forget the connection; whether the device is offline is not decided here."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self.connection is not None and _current.get(self.connection.serial) is self:
            del _current[self.connection.serial]
        raise StopConsumer()
