"""One for each web process: takes what Redis says and hands each browser the newest of it."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from channels.db import DatabaseSyncToAsync
from django.conf import settings

from devices.live import fragments
from devices.live.board import Board
from devices.live.subscription import Subscription
from devices.live.viewer import Viewer
from devices.services import bus
from devices.states import STARTING, State

log = logging.getLogger(__name__)

RENDER_EVERY_S = 0.5  # counts at 2 Hz at most
REFRESH_S = 1.0  # a running operation's rate and time left
CAPACITY_REFRESH_S = 3.0
LAUNCH_WINDOW_S = 10.0

Send = Callable[[str | bytes], Awaitable[None]]


@dataclass
class Watched:
    """What the renderer is told beside the database."""

    samples: dict[str, dict[str, Any]] = field(default_factory=dict)
    online_per_s: float = 0.0


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
        self._viewers: dict[Viewer, Send] = {}
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
        self._arrivals: deque[float] = deque()
        self._states: dict[int, str] = {}
        self._operation_running = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen and to render, in the running event loop."""
        self._tasks = [
            self._begin("listening", self._subscription.run()),
            self._begin("rendering", self._render_forever()),
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

    async def join(self, viewer: Viewer, send: Send) -> None:
        """Feed a browser from now on, beginning with all that it shows."""
        self._viewers[viewer] = send
        if viewer.console:
            self._subscription.follow_console(viewer.console)
        self._dirty |= viewer.parts & fragments.PARTS
        await self.feed(viewer)

    async def leave(self, viewer: Viewer) -> None:
        """Forget a browser."""
        self._viewers.pop(viewer, None)
        serial = viewer.console
        if serial and all(v.console != serial for v in self._viewers):
            self._subscription.leave_console(serial)
            self.board.consoles.pop(serial, None)

    async def feed(self, viewer: Viewer) -> None:
        """Send one browser what it lacks."""
        send = self._viewers.get(viewer)
        if send is None:
            return
        for message in viewer.take(self.board):
            await send(message)

    async def _feed_all(self) -> None:
        for viewer in list(self._viewers):
            try:
                await self.feed(viewer)
            except Exception:
                # one browser's fault is not the others'; it reconnects and begins anew
                log.exception("A browser could not be fed and is left out")
                await self.leave(viewer)

    async def _connected(self) -> None:
        """Redis is there (again): what was missed is asked of the database."""
        states = await self._load_states()
        self._states = dict(states)
        self.board.put_all_states(states)
        self._dirty |= fragments.PARTS
        await self._feed_all()

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
                self._take_loads(name, json.loads(message))
            elif kind == "changes":
                self._take_changes(json.loads(message))
            elif kind == "console":
                self.board.append_console(name, message)
            elif kind == "console-begin":
                self.board.begin_console(name, message)
        except (ValueError, TypeError, KeyError, IndexError, struct.error):
            log.exception("An unreadable message on %s was left out", channel)
            return
        await self._feed_all()

    def _take_loads(self, host: str, sample: dict[str, Any]) -> None:
        loads = {int(row[0]): min(255, int(row[1]) * 255 // 1000) for row in sample["guests"]}
        self.board.put_loads(host, loads)

    def _take_changes(self, changes: dict[str, Any]) -> None:
        now = self._clock()
        moved = [(int(slot), str(state)) for slot, state in changes["devices"]]
        for slot, state in moved:
            if state == State.ONLINE and self._states.get(slot) in STARTING:
                self._arrivals.append(now)
            self._states[slot] = state
        if moved:
            self.board.put_states(moved)
            self._dirty |= {fragments.COUNTS, fragments.CAPACITY, fragments.OPERATIONS}
        if changes["operations"]:
            self._dirty.add(fragments.OPERATIONS)

    def _launch_rate(self) -> float:
        now = self._clock()
        while self._arrivals and now - self._arrivals[0] > LAUNCH_WINDOW_S:
            self._arrivals.popleft()
        return len(self._arrivals) / LAUNCH_WINDOW_S

    async def _render_forever(self) -> None:
        refreshed = capacity_at = self._clock()
        while True:
            await asyncio.sleep(RENDER_EVERY_S)
            now = self._clock()
            if self._operation_running and now - refreshed >= REFRESH_S:
                refreshed = now
                self._dirty.add(fragments.OPERATIONS)
            if now - capacity_at >= CAPACITY_REFRESH_S:
                capacity_at = now
                self._dirty.add(fragments.CAPACITY)
            watched: set[str] = set()
            for viewer in self._viewers:
                if not viewer.hidden:
                    watched |= viewer.parts
            parts = frozenset(self._dirty & watched)
            if not parts:
                continue
            self._dirty -= parts
            self._watched.online_per_s = self._launch_rate()
            await self._render_once(parts)

    async def _render_once(self, parts: frozenset[str]) -> None:
        try:
            rendered = await self._render(
                parts, dict(self._watched.samples), self._watched.online_per_s
            )
        except Exception:
            log.exception("The page's %s could not be rendered; trying again", sorted(parts))
            self._dirty |= parts
            return
        for fragment in rendered.fragments:
            self.board.put_html(fragment.name, fragment.html, fragment.key)
        if rendered.operation_running is not None:
            self._operation_running = rendered.operation_running
        await self._feed_all()


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


def current() -> Hub:
    """This process's hub, started when first asked for."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(settings.REDIS_URL)
        hub.start()
    return hub
