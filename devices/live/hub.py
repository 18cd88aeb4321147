"""One for each web process: takes what Redis says and hands each browser the newest of it."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from channels.db import DatabaseSyncToAsync
from django.conf import settings

from devices.live import fragments
from devices.live.arrivals import Arrivals
from devices.live.board import Board
from devices.live.message import Message
from devices.live.subscription import Subscription
from devices.live.viewer import Viewer
from devices.services import bus, typists
from devices.states import STARTING, State

log = logging.getLogger(__name__)

RENDER_EVERY_S = 0.5  # counts at 2 Hz at most
REFRESH_S = 1.0  # a running operation's rate and time left
CAPACITY_REFRESH_S = 3.0
CAPACITY_AT_MOST_S = 1.2  # asks the database most, so not with every change
DEVICES_REFRESH_S = 2.0  # how a watched device is now
GATHER_S = 0.008  # what is published together is sent together
HTML_WAITS_S = 0.15  # so that fragments share their way with the next frames
# after a round the hub rests so many times as long as the round took: with many viewers it sends
# less often instead of taking the whole core
REST = 3.0
MOST_REST_S = 0.2
TURN = 50  # viewers between two looks at what else is to do


class Line(Protocol):
    """The way to one browser."""

    def send(self, messages: Sequence[Message]) -> None:
        """Put messages on their way; returns at once and never waits for the browser."""


@dataclass
class Watched:
    """What the renderer is told beside the database."""

    samples: dict[str, dict[str, Any]] = field(default_factory=dict)
    online_per_s: float = 0.0
    online_each_s: Sequence[int] = ()


class Hub:
    """Keeps a `Board`, renders each fragment once, and feeds every viewer from memory."""

    def __init__(
        self,
        redis_url: str,
        *,
        render: fragments.Render = fragments.render,
        load_states: Callable[[], dict[int, str]] = fragments.slot_states,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.board = Board()
        self._viewers: dict[Viewer, Line] = {}
        self._dismissals: dict[Viewer, tuple[str, Callable[[], None]]] = {}
        self._news = asyncio.Event()
        self._subscription = Subscription(redis_url, self._heard, self._connected)
        # one thread of our own: a slow database never holds up pages, nor they the wall
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._render = DatabaseSyncToAsync(
            render, thread_sensitive=False, executor=self._thread
        )
        self._load_states = DatabaseSyncToAsync(
            load_states, thread_sensitive=False, executor=self._thread
        )
        self._clock = clock
        self._watched = Watched()
        self._dirty: set[str] = set(fragments.PARTS)
        self._devices_moved = False
        self._arrivals = Arrivals()
        self._states: dict[int, str] = {}
        self._operation_running = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen and to render, in the running event loop."""
        self._tasks = [
            self._begin("listening", self._subscription.run()),
            self._begin("rendering", self._render_forever()),
            self._begin("feeding", self._feed_forever()),
        ]

    def _begin(self, what: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"live hub {what}")

        def ended(done: asyncio.Task[None]) -> None:
            if not done.cancelled():
                log.error("The live hub's %s ended: %r", what, done.exception())

        task.add_done_callback(ended)
        return task

    async def stop(self) -> None:
        """End what `start` began."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=False)

    def join(
        self, viewer: Viewer, line: Line, *,
        admission: str = "", dismiss: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Feed a browser from now on, beginning with all that it shows.

        `dismiss` is called when its admission is revoked.
        """
        self._viewers[viewer] = line
        self._dismissals[viewer] = (admission, dismiss)
        if viewer.console:
            self._subscription.follow_console(viewer.console)
        self._dirty |= viewer.parts & fragments.PARTS | fragments.device_parts(viewer.parts)
        self.feed(viewer)

    def leave(self, viewer: Viewer) -> None:
        """Forget a browser."""
        self._viewers.pop(viewer, None)
        self._dismissals.pop(viewer, None)
        serial = viewer.console
        if serial and not self._has_watchers(serial):
            self._subscription.leave_console(serial)
            self.board.forget_console(serial, fragments.typist_part(serial))
        for part in fragments.device_parts(viewer.parts):
            if not self._is_watched(part):
                self._dirty.discard(part)
                self.board.topics.pop(part, None)

    def _is_watched(self, part: str) -> bool:
        return any(part in viewer.parts for viewer in self._viewers)

    def _has_watchers(self, serial: str) -> bool:
        return any(viewer.console == serial for viewer in self._viewers)

    def acknowledged(self, viewer: Viewer, sequence: int) -> None:
        """A browser has done with a message; it gets what it had to wait for."""
        viewer.acknowledge(sequence)
        if viewer.waits:
            self.feed(viewer)

    def feed(self, viewer: Viewer) -> None:
        """Send one browser what it lacks."""
        line = self._viewers.get(viewer)
        if line is None:
            return
        try:
            if messages := viewer.take(self.board):
                line.send(messages)
        except Exception:
            # one browser's fault is not the others'; it reconnects and begins anew
            log.exception("A browser could not be fed and is left out")
            self.leave(viewer)

    async def _feed_forever(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER_S)
            self._news.clear()
            spent = 0.0
            viewers = list(self._viewers)
            for first in range(0, len(viewers), TURN):
                began = time.perf_counter()
                for viewer in viewers[first : first + TURN]:
                    self.feed(viewer)
                spent += time.perf_counter() - began
                await asyncio.sleep(0)
            await asyncio.sleep(min(MOST_REST_S, REST * spent))

    async def _connected(self) -> None:
        """Redis is there (again): what was missed is asked of the database."""
        states = await self._load_states()
        self._states = dict(states)
        self.board.put_all_states(states)
        self._dirty |= fragments.PARTS
        self._news.set()

    async def _heard(self, channel: str, message: bytes) -> None:
        kind, _, name = channel.removeprefix("fleet:").partition(":")
        try:
            if kind == "cores":
                at, busy = bus.unpack_cores(message)
                self.board.put_cores(name, at, busy)
            elif kind == "host":
                self._watched.samples[name] = json.loads(message)
                self._dirty.add(fragments.HOSTS)
                return  # rendered at the next tick
            elif kind == "guests-sample":
                sample = json.loads(message)
                self.board.put_loads(name, sample["guests"], float(sample["at"]))
            elif kind == "changes":
                self._take_changes(json.loads(message))
            elif kind == "revoked":
                self._dismiss(frozenset(map(str, json.loads(message))))
                return
            elif kind == "console":
                self.board.append_console(name, message)
            elif kind in {"console-begin", "typist"} and not self._has_watchers(name):
                return  # who asked for it has left meanwhile
            elif kind == "console-begin":
                self.board.begin_console(name, message)
            elif kind == "typist":
                typist = typists.decode(message)
                who = (typist.user, typist.by) if typist else ("", "")
                self.board.put_html(fragments.typist_part(name), fragments.typist(*who))
        except (ValueError, TypeError, KeyError, IndexError, struct.error):
            log.exception("An unreadable message on %s was left out", channel)
            return
        self._news.set()

    def _dismiss(self, admissions: frozenset[str]) -> None:
        for admission, dismiss in list(self._dismissals.values()):
            if admission in admissions:
                dismiss()

    def _take_changes(self, changes: dict[str, Any]) -> None:
        now = self._clock()
        moved = [(int(slot), str(state)) for slot, state in changes["devices"]]
        for slot, state in moved:
            if state == State.ONLINE and self._states.get(slot) in STARTING:
                self._arrivals.note(now)
            self._states[slot] = state
        if moved:
            self.board.put_states(moved, changes.get("at"))
            self._devices_moved = True
            self._dirty |= {fragments.COUNTS, fragments.CAPACITY} | fragments.ABOUT_OPERATIONS
        if changes["operations"]:
            self._dirty |= fragments.ABOUT_OPERATIONS

    async def _render_forever(self) -> None:
        refreshed = capacity_at = devices_at = self._clock()
        capacity_rendered = -CAPACITY_AT_MOST_S
        while True:
            await asyncio.sleep(RENDER_EVERY_S)
            now = self._clock()
            if self._operation_running and now - refreshed >= REFRESH_S:
                refreshed = now
                self._dirty |= fragments.ABOUT_OPERATIONS
            if now - capacity_at >= CAPACITY_REFRESH_S:
                capacity_at = now
                self._dirty.add(fragments.CAPACITY)
            watched: set[str] = set()
            for viewer in self._viewers:
                if not viewer.hidden:
                    watched |= viewer.parts
            if self._devices_moved or now - devices_at >= DEVICES_REFRESH_S:
                devices_at = now
                self._devices_moved = False
                self._dirty |= fragments.device_parts(watched)
            parts = frozenset(self._dirty & watched)
            if now - capacity_rendered < CAPACITY_AT_MOST_S:
                parts -= {fragments.CAPACITY}
            if not parts:
                continue
            if fragments.CAPACITY in parts:
                capacity_rendered = now
            self._dirty -= parts
            self._watched.online_per_s = self._arrivals.per_s(now)
            self._watched.online_each_s = self._arrivals.each_s(now)
            await self._render_once(parts)

    async def _render_once(self, parts: frozenset[str]) -> None:
        try:
            rendered = await self._render(
                parts, dict(self._watched.samples), self._watched.online_per_s,
                self._watched.online_each_s,
            )
        except Exception:
            log.exception("The page's %s could not be rendered; trying again", sorted(parts))
            self._dirty |= parts
            return
        self._dirty |= rendered.failed
        for fragment in rendered.fragments:
            if fragments.device_parts([fragment.name]) and not self._is_watched(fragment.name):
                continue
            self.board.put_html(fragment.name, fragment.html, fragment.key)
        if rendered.operation_running is not None:
            self._operation_running = rendered.operation_running
        asyncio.get_running_loop().call_later(HTML_WAITS_S, self._news.set)


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


def current() -> Hub:
    """This process's hub, started when first asked for."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(settings.REDIS_URL)
        hub.start()
    return hub
