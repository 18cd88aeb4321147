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
from typing import Any, Protocol

from channels.db import DatabaseSyncToAsync
from django.conf import settings

from devices.live import admissions, fragments
from devices.live.admissions import Admissions
from devices.live.board import Board
from devices.live.message import Message
from devices.live.rendering import Renderer
from devices.live.silence import Silence
from devices.live.subscription import Subscription
from devices.live.viewer import Viewer
from devices.services import bus, typists
from devices.states import STARTING, State

log = logging.getLogger(__name__)

# beyond this a host's figures are no longer those of now; its poller samples it each second, and
# where it has many guests these every four
SILENT_S = 5.0
GUESTS_SILENT_S = 10.0
LOOK_EVERY_S = 0.5
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
        self._news = asyncio.Event()
        self._subscription = Subscription(redis_url, self._heard, self._connected)
        # one thread of our own: a slow database never holds up pages, nor they the wall
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self.renderer = Renderer(
            self.board, self._viewers, render, thread=self._thread, ready=self._html_is_ready,
            clock=clock,
        )
        self._load_states = DatabaseSyncToAsync(
            load_states, thread_sensitive=False, executor=self._thread
        )
        self.admissions = Admissions(
            DatabaseSyncToAsync(admissions.over, thread_sensitive=False, executor=self._thread),
            clock=clock,
        )
        self._clock = clock
        self._silent_hosts = Silence(SILENT_S)
        self._silent_guests = Silence(GUESTS_SILENT_S)
        self._states: dict[int, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen and to render, in the running event loop."""
        self._tasks = [
            self._begin("listening", self._subscription.run()),
            self._begin("rendering", self.renderer.run()),
            self._begin("looking for silent hosts", self._look_forever()),
            self._begin("feeding", self._feed_forever()),
            self._begin("asking who still may watch", self.admissions.run()),
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

        `dismiss` is called when its admission is revoked or holds no more.
        """
        self.renderer.join(viewer.parts)
        self._viewers[viewer] = line
        if admission:
            self.admissions.enter(viewer, admission, dismiss)
        if viewer.console:
            self._subscription.follow_console(viewer.console)
        self.feed(viewer)

    def leave(self, viewer: Viewer) -> None:
        """Forget a browser."""
        self.admissions.leave(viewer)
        self._leave_out(viewer)

    def _leave_out(self, viewer: Viewer) -> None:
        """Send a browser nothing more; its socket may still be open."""
        self._viewers.pop(viewer, None)
        serial = viewer.console
        if serial and not self._has_watchers(serial):
            self._subscription.leave_console(serial)
            self.board.forget_console(serial)
            self.board.forget(fragments.typist_part(serial))
        self.renderer.leave(viewer.parts)

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
            self._leave_out(viewer)

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
        self.admissions.doubt()
        states = await self._load_states()
        self._states = dict(states)
        self.board.put_all_states(states)
        self.renderer.ask(fragments.PARTS)
        self._news.set()

    async def _heard(self, channel: str, message: bytes) -> None:
        kind, _, name = channel.removeprefix("fleet:").partition(":")
        try:
            if kind == "cores":
                at, busy = bus.unpack_cores(message)
                self.board.put_cores(name, at, busy)
            elif kind == "host":
                self.renderer.take_sample(name, json.loads(message))
                self._silent_hosts.heard(name, self._clock())
                return  # rendered at the next tick
            elif kind == "guests-sample":
                sample = json.loads(message)
                self.board.put_loads(name, sample["guests"], float(sample["at"]))
                self._silent_guests.heard(name, self._clock())
            elif kind == "changes":
                self._take_changes(json.loads(message))
            elif kind == "revoked":
                self.admissions.end(frozenset(map(str, json.loads(message))))
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

    def _take_changes(self, changes: dict[str, Any]) -> None:
        moved = [(int(slot), str(state)) for slot, state in changes["devices"]]
        arrived = 0
        for slot, state in moved:
            arrived += state == State.ONLINE and self._states.get(slot) in STARTING
            self._states[slot] = state
        if moved:
            self.board.put_states(moved, changes.get("at"))
            self.renderer.devices_moved(arrived)
        if changes["operations"]:
            self.renderer.ask(fragments.ABOUT_OPERATIONS)

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look_for_silence()

    def look_for_silence(self) -> None:
        """Take away the figures of hosts that have fallen silent: they must not look alive."""
        now = self._clock()
        for host in self._silent_hosts.fallen(now):
            self.renderer.take_sample(host, None)
        for host in self._silent_guests.fallen(now):
            self.board.put_loads(host, ())
            self._news.set()

    def _html_is_ready(self) -> None:
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
