"""When each part of the page is rendered again; a thread of its own renders it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from channels.db import DatabaseSyncToAsync

from devices.live import fragments
from devices.live.arrivals import Arrivals
from devices.live.board import Board
from devices.live.viewer import Viewer

log = logging.getLogger(__name__)

RENDER_EVERY_S = 0.5  # counts at 2 Hz at most
REFRESH_S = 1.0  # a running operation's rate and time left
CAPACITY_REFRESH_S = 3.0
CAPACITY_AT_MOST_S = 1.2  # asks the database most, so not with every change
DEVICES_REFRESH_S = 2.0  # how a watched device is now


class Renderer:
    """Renders what somebody sees and what has changed, and puts it on the board.

    `viewers` are the browsers there are; `ready` is called when something was put on the board.
    """

    def __init__(
        self,
        board: Board,
        viewers: Iterable[Viewer],
        render: fragments.Render,
        *,
        thread: ThreadPoolExecutor,
        ready: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # what a host said last; None of one that has fallen silent
        self.samples: dict[str, Mapping[str, Any] | None] = {}
        self._board = board
        self._viewers = viewers
        self._render = DatabaseSyncToAsync(render, thread_sensitive=False, executor=thread)
        self._ready = ready
        self._clock = clock
        self._arrivals = Arrivals()
        self._dirty: set[str] = set(fragments.PARTS)
        self._devices_moved = False
        self._operation_running = False

    def take_sample(self, host: str, sample: Mapping[str, Any] | None) -> None:
        """Take what a host says of itself, or None when it has fallen silent."""
        self.samples[host] = sample
        self.ask({fragments.HOSTS})

    def devices_moved(self, arrived: int) -> None:
        """Devices have changed their state; so many of them came online."""
        for _ in range(arrived):
            self._arrivals.note(self._clock())
        self._devices_moved = True
        self.ask({fragments.COUNTS, fragments.CAPACITY} | fragments.ABOUT_OPERATIONS)

    def ask(self, parts: Iterable[str]) -> None:
        """Have parts rendered again as soon as somebody sees them."""
        self._dirty.update(parts)

    def join(self, parts: frozenset[str]) -> None:
        """A browser is about to come that shows these parts.

        What nobody has seen lately was not kept up, and is forgotten: the page is newer.
        """
        self._board.forget(*fragments.rendered_parts(parts) - self._seen())
        self.ask(parts & fragments.PARTS | fragments.device_parts(parts))

    def leave(self, parts: frozenset[str]) -> None:
        """A browser that showed these parts has left."""
        unwatched = [p for p in fragments.device_parts(parts) if not self._is_watched(p)]
        self._dirty.difference_update(unwatched)
        self._board.forget(*unwatched)

    def _is_watched(self, part: str) -> bool:
        return any(part in viewer.parts for viewer in self._viewers)

    def _seen(self) -> set[str]:
        seen: set[str] = set()
        for viewer in self._viewers:
            if not viewer.hidden:
                seen |= viewer.parts
        return seen

    async def run(self) -> None:
        """Render for ever what is due."""
        refreshed = capacity_at = devices_at = self._clock()
        capacity_rendered = -CAPACITY_AT_MOST_S
        while True:
            await asyncio.sleep(RENDER_EVERY_S)
            now = self._clock()
            if self._operation_running and now - refreshed >= REFRESH_S:
                refreshed = now
                self.ask(fragments.ABOUT_OPERATIONS)
            if now - capacity_at >= CAPACITY_REFRESH_S:
                capacity_at = now
                self.ask({fragments.CAPACITY})
            seen = self._seen()
            if self._devices_moved or now - devices_at >= DEVICES_REFRESH_S:
                devices_at = now
                self._devices_moved = False
                self.ask(fragments.device_parts(seen))
            parts = frozenset(self._dirty & seen)
            if now - capacity_rendered < CAPACITY_AT_MOST_S:
                parts -= {fragments.CAPACITY}
            if not parts:
                continue
            if fragments.CAPACITY in parts:
                capacity_rendered = now
            self._dirty -= parts
            await self._render_once(parts, now)

    async def _render_once(self, parts: frozenset[str], now: float) -> None:
        try:
            rendered = await self._render(
                parts, dict(self.samples), self._arrivals.per_s(now), self._arrivals.each_s(now)
            )
        except Exception:
            log.exception("The page's %s could not be rendered; trying again", sorted(parts))
            self.ask(parts)
            return
        self.ask(rendered.failed)
        for fragment in rendered.fragments:
            if fragments.device_parts([fragment.name]) and not self._is_watched(fragment.name):
                continue
            self._board.put_html(fragment.name, fragment.html, fragment.key)
        if rendered.operation_running is not None:
            self._operation_running = rendered.operation_running
        self._ready()
