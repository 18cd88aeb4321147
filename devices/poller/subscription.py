"""One Redis channel, listened to until the connection breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from devices.poller.errors import PollerError


class Disconnected(PollerError):
    """Redis is away; open the subscription again."""


class Subscription:
    """Messages of one channel; `connect()` gives the client to listen through."""

    def __init__(self, channel: str, connect: Callable[[], redis.Redis]) -> None:
        self._channel = channel
        self._connect = connect
        self._pubsub: Any = None

    def open(self) -> None:
        """Subscribe anew; what is said from now on will be read. Raises Disconnected."""
        self.close()
        try:
            client: Any = self._connect()
            self._pubsub = client.pubsub(ignore_subscribe_messages=True)
            self._pubsub.subscribe(self._channel)
            # The answer to the subscription: until it has come, messages may pass unheard.
            self._pubsub.get_message(timeout=2.0)
        except (redis.RedisError, OSError) as error:
            raise Disconnected(str(error)) from error

    def read(self, timeout_s: float) -> bytes | None:
        """The next message, or None after `timeout_s` without one. Raises Disconnected."""
        try:
            message = self._pubsub.get_message(timeout=timeout_s)
        except (redis.RedisError, OSError) as error:
            raise Disconnected(str(error)) from error
        return None if message is None else bytes(message["data"])

    def close(self) -> None:
        """Let go of the connection."""
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None
