"""A browser at the live socket, and a page that counts its renderings."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import OperationalError

from devices.live import frames
from devices.live.consumers import LiveConsumer
from devices.live.fragments import Fragment, Rendered
from devices.live.frames import Kind
from devices.live.hub import Hub
from devices.services import bus

# time enough for a busy machine to answer
ANSWER_S = 30.0
ORIGIN = [(b"host", b"testserver"), (b"origin", b"http://testserver")]


# Channels carries no types
_Communicator: Any = WebsocketCommunicator


class Communicator(_Communicator):  # type: ignore[misc]
    """Channels' end of a socket, which waits longer."""

    async def connect(self, timeout: float = ANSWER_S) -> Any:
        return await super().connect(timeout)

    async def disconnect(self, code: int = 1000, timeout: float = ANSWER_S) -> None:
        await super().disconnect(code, timeout)

    async def receive_output(self, timeout: float = ANSWER_S) -> Any:
        return await super().receive_output(timeout)


class Page:
    """What the renderer says, counted."""

    def __init__(self) -> None:
        self.renderings = 0
        self.states: dict[int, str] = {}
        self.faults = 0

    def render(
        self, parts: frozenset[str], samples: Mapping[str, Any], online_per_s: float,
        online_each_s: Sequence[int],
    ) -> Rendered:
        self.renderings += 1
        made = [Fragment(part, f'<p id="{part}">{self.renderings}</p>') for part in sorted(parts)]
        return Rendered(tuple(made), operation_running=False)

    def load_states(self) -> dict[int, str]:
        if self.faults:
            self.faults -= 1
            raise OperationalError("the database is away")
        return dict(self.states)


class Browser(Communicator):
    """A logged-in browser that acknowledges only when told to."""

    def __init__(self, query: str = "parts=cores", *, user: object = None, **headers: Any) -> None:
        super().__init__(LiveConsumer.as_asgi(), f"/live/?{query}", headers.get("headers", ORIGIN))
        self.scope["user"] = User(username="somebody") if user is None else user

    async def open(self) -> Browser:
        connected, _ = await self.connect()
        assert connected
        return self

    async def message(self, timeout: float = ANSWER_S) -> str | bytes:
        message = await self.receive_from(timeout=timeout)
        assert isinstance(message, str | bytes)
        return message

    async def frame(self, kind: Kind, timeout: float = ANSWER_S) -> frames.Frame:
        deadline = time.monotonic() + timeout
        while True:
            message = await self.message(max(0.01, deadline - time.monotonic()))
            await self.acknowledge(message)
            if isinstance(message, bytes):
                for frame in frames.decode_all(message):
                    if frame.kind is kind:
                        return frame

    async def html(self, wanted: str, timeout: float = ANSWER_S) -> str:
        deadline = time.monotonic() + timeout
        while True:
            message = await self.message(max(0.01, deadline - time.monotonic()))
            await self.acknowledge(message)
            if isinstance(message, str) and wanted in message:
                return message

    async def say(self, **message: object) -> None:
        await self.send_to(text_data=json.dumps(message))

    async def acknowledge(self, message: str | bytes) -> None:
        await self.say(ack=sequence(message))


def sequence(message: str | bytes) -> int:
    """The number that acknowledges a message."""
    if isinstance(message, bytes):
        return frames.decode_all(message)[-1].sequence
    found = re.match(r"<!--(\d+)-->", message)
    assert found
    return int(found[1])


async def publish_cores(value: int) -> None:
    """Publish what two cores do: one this, the other all it can."""
    await asyncio.to_thread(bus.publish_cores, "here", time.time(), bytes([value, 255]))


async def shown(live: Hub, value: int) -> None:
    """Publish it, and wait until it is what browsers are to be given."""
    await publish_cores(value)
    deadline = time.monotonic() + ANSWER_S
    while _cores(live) != bytes([value, 255]):
        assert time.monotonic() < deadline, "what was published is not heard"
        await asyncio.sleep(0.02)


def _cores(live: Hub) -> bytes:
    payload = live.board.topics["cores"].payload
    assert isinstance(payload, bytes)
    (frame,) = frames.decode_all(payload)
    return frames.read_cores(frame.payload)["here"]


async def subscribed(live: Hub) -> None:
    """Wait until what is published is heard."""
    deadline = time.monotonic() + ANSWER_S
    while "cores" not in live.board.topics:
        assert time.monotonic() < deadline, "the hub hears nothing"
        await publish_cores(0)
        await asyncio.sleep(0.02)


