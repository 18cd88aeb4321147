"""One browser's keyboard on one device's console."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings

from devices.errors import FleetError
from devices.services import typists

# what a browser may say about it: who it is when it begins (empty to end), and keys
WORDS = frozenset({"typing", "keys"})
MOST_NAME_CHARACTERS = 32
# a pasted page goes through, an endless one does not
BYTES_PER_S = 8 << 10
BURST_BYTES = 16 << 10


class Keyboard:
    """Types for a person who may act; `tell` takes a sentence for that person alone."""

    def __init__(self, serial: str, user: Any, tell: Callable[[str], None]) -> None:
        self._serial = serial
        self._user = user
        self._tell = tell
        self._typist: typists.Typist | None = None
        self._typed_at_s = 0.0
        self._allowed_bytes = float(BURST_BYTES)
        self._watch: asyncio.Task[None] | None = None

    async def take(self, message: Mapping[str, Any]) -> None:
        """Do what a browser's message says; raises TypeError when it makes no sense."""
        by, keys = message.get("typing"), message.get("keys")
        if not isinstance(by, str | None) or not isinstance(keys, str | None):
            raise TypeError("who types and what is typed are texts")
        if by:
            await self._begin(by[:MOST_NAME_CHARACTERS])
        elif by is not None:
            await self.end("stopped")
        if keys:
            await self._type(keys.encode("utf-8", "replace"))

    async def end(self, why: str) -> None:
        """Type no more; `why` is kept with what was typed."""
        typist, self._typist = self._typist, None
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()
        self._watch = None
        if typist is not None:
            await database_sync_to_async(typists.end)(typist, why)

    async def _begin(self, by: str) -> None:
        await self.end("began anew")
        try:
            self._typist = await database_sync_to_async(typists.begin)(
                self._serial, user=self._user, by=by
            )
        except FleetError as error:
            self._tell(str(error))
            return
        self._tell("")
        self._typed_at_s = time.monotonic()
        self._watch = asyncio.create_task(self._end_when_idle())

    async def _type(self, keys: bytes) -> None:
        if self._typist is None:
            return
        now_s = time.monotonic()
        self._allowed_bytes = min(
            float(BURST_BYTES), self._allowed_bytes + BYTES_PER_S * (now_s - self._typed_at_s)
        )
        self._typed_at_s = now_s
        if len(keys) > self._allowed_bytes:
            self._tell(f"That was too much at once: {len(keys)} bytes were left out.")
            return
        self._allowed_bytes -= len(keys)
        try:
            # no database is asked, so this needs none of Django's threads
            heard = await asyncio.to_thread(typists.write, self._typist, keys)
        except FleetError as error:
            self._tell(str(error))
            return
        if heard < 0:
            self._typist = None
        elif heard == 0:
            self._tell(
                f"The worker of {self._typist.host} does not listen: what you type is lost. "
                "Wait until it has started again."
            )

    async def _end_when_idle(self) -> None:
        while (left_s := self._typed_at_s + settings.CONSOLE_IDLE_S - time.monotonic()) > 0:
            await asyncio.sleep(left_s)
        await self.end("nothing was typed for a while")
        self._tell("Typing ended, for nothing was typed for a while.")
