"""The two ways a message takes from the hub to a browser."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from devices.live.message import Message
from fleetdash import direct

Acknowledged = Callable[[int], None]


class DirectLine:
    """Through Daphne's socket itself; a message is framed once, whoever it goes to."""

    def __init__(self, acknowledged: Acknowledged) -> None:
        self.acknowledged = acknowledged
        self._socket: direct.Socket | None = None

    @property
    def is_open(self) -> bool:
        """Whether the server took the offer."""
        return self._socket is not None

    def opened(self, socket: direct.Socket) -> None:
        """Called by the server."""
        self._socket = socket

    def send(self, messages: Sequence[Message]) -> None:
        """Write the messages to the socket, all in one piece."""
        assert self._socket is not None
        inflates = self._socket.inflates
        self._socket.write(b"".join([_framed(message, inflates) for message in messages]))


def _framed(message: Message, inflates: bool) -> bytes:
    # frames are packed already; HTML shrinks to a quarter
    if inflates and isinstance(message.content, str):
        if not message.deflated:
            message.deflated = direct.framed(message.content, deflate=True)
        return message.deflated
    if not message.framed:
        message.framed = direct.framed(message.content)
    return message.framed


class QueuedLine:
    """Through ASGI, for a server without the short way."""

    def __init__(self, send: Callable[[str | bytes], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def send(self, messages: Sequence[Message]) -> None:
        """Put the messages in line; there are never more than the unacknowledged ones."""
        for message in messages:
            self._waiting.put_nowait(message)

    async def _run(self) -> None:
        while True:
            message = await self._waiting.get()
            await self._send(message.content)

    async def close(self) -> None:
        """Send nothing more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
