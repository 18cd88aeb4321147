"""Many small writes made few: what arrives within a moment is written together.

The first after a quiet time is written at once; while more come, there is at most one flush a
window and one in flight, so a slow database gets fewer, larger batches instead of a queue.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Value = TypeVar("Value")


class Gatherer(Generic[Value]):
    """Gathers values by serial and hands them to `write`, the newest value of each.

    Batches are at least `window_s` apart.
    `write` is awaited on the running loop; what it raises reaches everyone who waits on the batch.
    """

    def __init__(
        self, write: Callable[[dict[str, Value]], Awaitable[None]], *, window_s: float
    ) -> None:
        self._write = write
        self._window_s = window_s
        self._values: dict[str, Value] = {}
        self._written: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._next_at_s = -math.inf

    def add(self, serial: str, value: Value) -> asyncio.Future[None]:
        """Take a value; the future is done once the batch that holds it is written.

        Nobody need wait on it. Wait through `asyncio.shield`: others share it.
        """
        self._values[serial] = value
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._flush())
        return self._written

    async def _flush(self) -> None:
        try:
            while self._written is not None:
                now_s = asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, self._next_at_s - now_s))
                self._next_at_s = asyncio.get_running_loop().time() + self._window_s
                values, self._values = self._values, {}
                written, self._written = self._written, None
                await self._settle(values, written)
        finally:
            self._task = None

    async def _settle(self, values: dict[str, Value], written: asyncio.Future[None]) -> None:
        try:
            await self._write(values)
        except Exception as error:
            log.warning("A batch of %d could not be written: %s", len(values), error)
            written.set_exception(error)
            written.exception()  # seen: nobody need wait
        except BaseException:
            written.cancel()
            raise
        else:
            written.set_result(None)
