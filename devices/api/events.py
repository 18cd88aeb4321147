"""The stream of what happens, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any, Literal

from asgiref.sync import SyncToAsync
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Header, Query, Router, Schema
from pydantic import Field

from devices.api import auth, event_tail
from devices.api.description import ANSWERS_WITH
from devices.api.event_tail import Tail, device_entry, message
from devices.api.problems import problem
from devices.api.schemas import ProblemOut
from devices.services import happenings

router = Router()

RETRY = b"retry: 2000\n\n"
PING = b": ping\n\n"
CHUNK = 64 * 1024
AGAIN_S = 5
Id = Annotated[int, Query(ge=0, lt=1 << 63)]


class EventFilter(Schema):
    """Which events; each field given must hold."""

    kind: Annotated[
        list[Literal["device", "host", "operation"]], Field(default_factory=list, max_length=3)
    ]
    serial: Annotated[str, Field(max_length=64)] = ""


@router.get(
    "/events",
    response={200: str, 429: ProblemOut},
    summary="Follow what happens",
    openapi_extra={ANSWERS_WITH: "text/event-stream"},
)
async def events(
    request: HttpRequest,
    wanted: Annotated[EventFilter, Query()],
    after: Id | None = None,
    last_event_id: Annotated[
        int | None, Header(alias="Last-Event-ID", ge=0, lt=1 << 63)
    ] = None,
) -> HttpResponse | StreamingHttpResponse:
    """Server-sent events: `device` and `host` (what is in a timeline), `operation` (progress).

    A device's and a host's events have an id. Who comes back with `Last-Event-ID` (or asks with
    `after`) gets what was missed, up to 10,000 events; where that is not enough, `reset` comes
    first: read the lists again. A comment comes every 15 s when nothing else does.
    """
    tail = event_tail.current()
    if tail.listeners >= event_tail.MOST_LISTENERS:
        refusal = problem(
            429, f"{tail.listeners} programs follow the events already; try again later."
        )
        refusal["Retry-After"] = str(AGAIN_S)
        return refusal
    last = after if last_event_id is None else last_event_id
    listener = Listener(tail, wanted, last, auth.admission(request))
    stream = StreamingHttpResponse(listener.stream(), content_type="text/event-stream")
    stream["Cache-Control"] = "no-store"
    stream["X-Accel-Buffering"] = "no"  # nginx would keep it back
    return stream


class Listener:
    """One who listens: what they want, how far they are, whether they still may."""

    def __init__(
        self,
        tail: Tail,
        wanted: EventFilter,
        last_id: int | None,
        admitted: Callable[[], bool],
    ) -> None:
        self._tail = tail
        self._kinds = frozenset(wanted.kind)
        self._serial = wanted.serial
        self._last_id = last_id
        self._admitted = admitted

    async def stream(self) -> AsyncIterator[bytes]:
        """What is sent, until the listener goes away or is no longer admitted."""
        _let_go_of_thread()
        async with self._tail.listening():
            number, until_id = self._tail.next_number, self._tail.last_id
            yield RETRY
            if self._last_id is not None:
                async for missed in self._missed(self._last_id, until_id):
                    yield missed
            looked_at = time.monotonic()
            while True:
                left_s = looked_at + event_tail.PING_EVERY_S - time.monotonic()
                await self._tail.wait(number, max(0.0, left_s))
                if time.monotonic() - looked_at >= event_tail.PING_EVERY_S:
                    looked_at = time.monotonic()
                    if not await self._tail.ask(self._admitted):
                        return
                    yield PING
                if number < self._tail.first_number:
                    yield _reset(self._tail.last_id, "You were too slow")
                entries = list(self._tail.since(number))
                number = self._tail.next_number
                wanted = b"".join(e.text for e in entries if self._wants(e.kind, e.serial))
                for start in range(0, len(wanted), CHUNK):
                    yield wanted[start : start + CHUNK]

    async def _missed(self, last_id: int, until_id: int) -> AsyncIterator[bytes]:
        oldest, newest = await self._tail.ask(happenings.span)
        too_old = last_id < oldest - 1
        if too_old or last_id > newest or until_id - last_id > event_tail.MOST_REPLAYED:
            yield _reset(until_id, "Not all that happened since is kept")
            return
        while last_id < until_id:
            page = await self._tail.ask(
                partial(happenings.after, last_id, event_tail.AT_ONCE)
            )
            entries = [device_entry(each) for each in page if each.id <= until_id]
            if not entries:
                return
            last_id = page[-1].id
            yield b"".join(e.text for e in entries if self._wants(e.kind, e.serial))
            await asyncio.sleep(0)

    def _wants(self, kind: str, serial: str | None) -> bool:
        if self._kinds and kind not in self._kinds:
            return False
        return not self._serial or serial == self._serial


def _reset(last_id: int, why: str) -> bytes:
    value: dict[str, Any] = {"detail": f"{why}: read the lists again, then go on from here."}
    return message("reset", value, id=last_id)


def _let_go_of_thread() -> None:
    """Give back the thread that Django under ASGI keeps for a request until it ends.

    What needs one later gets a new one (asgiref.sync.SyncToAsync.__call__).
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.shutdown(wait=False)
