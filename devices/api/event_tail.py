"""What happens, read once for all who listen; bounded however slow they are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from channels.db import DatabaseSyncToAsync

from devices.services import happenings
from devices.services.happenings import Happening
from devices.services.progress import OperationView

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
PROGRESS_EVERY_S = 1.0
PING_EVERY_S = 15.0
AT_ONCE = 1000
# what a listener may be behind the newest, and what is read again for one that comes back
KEPT = 5000
MOST_REPLAYED = 10_000
MOST_LISTENERS = 100
# how long an id that is left out may still come
LATE_S = 10.0
MOST_MISSING = 500

Result = TypeVar("Result")


@dataclass(frozen=True)
class Entry:
    """One thing that happened, as it is sent."""

    kind: str
    serial: str | None
    text: bytes


@dataclass
class Tail:
    """One for each web process; it reads only while somebody listens."""

    listeners: int = 0
    last_id: int = 0
    first_number: int = 0
    kept: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _missing: dict[int, float] = field(default_factory=dict)
    _last_operation: int = 0
    _running: dict[int, str] = field(default_factory=dict)
    _progress_at: float = 0.0
    _begun: asyncio.Task[None] | None = None
    _reading: asyncio.Task[None] | None = None
    # a thread of our own: a slow database never holds up pages, nor they the stream
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="events")
    )

    @property
    def next_number(self) -> int:
        """The number that the next entry will have."""
        return self.first_number + len(self.kept)

    async def ask(self, question: Callable[[], Result]) -> Result:
        """What the database answers."""
        answer: Result = await DatabaseSyncToAsync(
            question, thread_sensitive=False, executor=self._thread
        )()
        return answer

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """While somebody listens, what happens is read."""
        self.listeners += 1
        try:
            if self._begun is None:
                self._begun = asyncio.create_task(self._begin())
            await asyncio.shield(self._begun)
            yield
        finally:
            self.listeners -= 1
            if not self.listeners:
                self._end()

    async def _begin(self) -> None:
        _, self.last_id = await self.ask(happenings.span)
        self._last_operation = await self.ask(happenings.newest_operation_id)
        self._running = dict.fromkeys(await self.ask(happenings.running_operations), "")
        self._reading = asyncio.create_task(self._read_forever(), name="events")

    def _end(self) -> None:
        for task in (self._begun, self._reading):
            if task is not None:
                task.cancel()
        self._begun = self._reading = None
        self.first_number = self.next_number
        self.kept.clear()
        self._missing.clear()

    async def wait(self, number: int, timeout_s: float) -> bool:
        """Whether there is an entry of that number or beyond before the time is over."""
        news = self._news
        if self.next_number > number:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), timeout_s)
        return self.next_number > number

    def since(self, number: int) -> Iterator[Entry]:
        """The entries from that number on; those that are not kept any more are left out."""
        place = max(0, number - self.first_number)
        return iter([self.kept[index] for index in range(place, len(self.kept))])

    async def _read_forever(self) -> None:
        while True:
            try:
                await self._read()
            except Exception:
                log.exception("What happened could not be read; trying again")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _read(self) -> None:
        now = time.monotonic()
        self._missing = {id: since for id, since in self._missing.items() if now - since < LATE_S}
        missing = list(self._missing)[-MOST_MISSING:]
        found = await self.ask(partial(happenings.after, self.last_id, AT_ONCE, missing))
        # kept before anything else is asked: what is noted as read is not read again
        self._keep([device_entry(each) for each in found])
        self._note(found, now)
        self._keep(await self._operations(now))

    def _keep(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        self.first_number += max(0, len(self.kept) + len(entries) - KEPT)
        self.kept.extend(entries)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _note(self, found: Sequence[Happening], now: float) -> None:
        for each in found:
            self._missing.pop(each.id, None)
            if each.id > self.last_id:
                left_out = range(max(self.last_id + 1, each.id - MOST_MISSING), each.id)
                self._missing.update(dict.fromkeys(left_out, now))
                self.last_id = each.id

    async def _operations(self, now: float) -> list[Entry]:
        running: list[int] = []
        if now - self._progress_at >= PROGRESS_EVERY_S:
            running = list(self._running)
            self._progress_at = now
        found = await self.ask(
            partial(happenings.operations_beyond, self._last_operation, running)
        )
        entries: list[Entry] = []
        for each in found:
            self._last_operation = max(self._last_operation, each.id)
            entry = operation_entry(each)
            told = self._running.get(each.id)
            said = f"{each.state} {each.done} {each.failed} {each.cancelled} {each.held}"
            if each.ended_at is None:
                self._running[each.id] = said
            else:
                self._running.pop(each.id, None)
            if said != told:
                entries.append(entry)
        return entries


def device_entry(what: Happening) -> Entry:
    """An event of a device, or of a host, with the id by which a listener goes on."""
    kind = "host" if what.serial is None else "device"
    return Entry(kind, what.serial, message(kind, what.to_json(), id=what.id))


def operation_entry(what: OperationView) -> Entry:
    """How far an operation is; it has no id, for the next one says all that this one says."""
    return Entry("operation", None, message("operation", what.to_json()))


def message(kind: str, value: dict[str, Any], *, id: int | None = None) -> bytes:
    """A message of the stream (the HTML standard, server-sent events)."""
    numbered = "" if id is None else f"id: {id}\n"
    return f"{numbered}event: {kind}\ndata: {json.dumps(value)}\n\n".encode()


_tails: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Tail] = weakref.WeakKeyDictionary()


def current() -> Tail:
    """This process's tail."""
    loop = asyncio.get_running_loop()
    tail = _tails.get(loop)
    if tail is None:
        tail = _tails[loop] = Tail()
    return tail
