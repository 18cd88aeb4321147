"""Guests' consoles: one thread reads them all, another hands on what was read, anyone may write.

A serial port whose reader stalls stops the guest's processor (qemu writes until it is taken), so
reading never waits for whoever is told.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from devices.qemu.console_share import Share
from devices.qemu.ring import Ring
from devices.qemu.unix_socket import connect

log = logging.getLogger(__name__)

KEPT_BYTES = 64 << 10
HAND_ON_EVERY_S = 0.5
# a console somebody types on answers at once
HAND_ON_TYPED_EVERY_S = 0.1
TYPED_FOR_S = 10.0
# qemu writes a byte at a time: read together what came in so long, and a guest that talks without
# end costs 500 rounds a second. Its socket holds 277 such bytes, so that it hardly ever waits.
GATHER_S = 0.002
_READ_BYTES = 16 << 10
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class _Console:
    """One guest's console, and what of it nobody has been told yet."""

    def __init__(self, serial: str, path: Path) -> None:
        self.serial = serial
        self.path = path
        self.socket: socket.socket | None = None
        self.tries = 0
        self.kept = Ring(KEPT_BYTES)
        self.share = Share()
        self.typed_until_s = 0.0


class ConsoleRecorder:
    """Follows any number of consoles; `on_output(serial, chunk)` is told at most twice a second.

    Of a console that was written to lately it is told ten times a second. Of one that talks without
    end it is told `console_share.BYTES_PER_S`. `add`, `remove` and `write` may be called from any
    thread at any time. While the callback is slow, the newest 64 KiB a guest wait for it. Nothing
    runs while no guest says anything.
    """

    def __init__(
        self,
        on_output: Callable[[str, bytes], None],
        *,
        hand_on_every_s: float = HAND_ON_EVERY_S,
        hand_on_typed_every_s: float = HAND_ON_TYPED_EVERY_S,
    ) -> None:
        self._on_output = on_output
        self._every_s = hand_on_every_s
        self._typed_every_s = min(hand_on_every_s, hand_on_typed_every_s)
        self._lock = threading.Condition()
        self._consoles: dict[str, _Console] = {}
        self._by_descriptor: dict[int, _Console] = {}
        self._retries: list[tuple[float, int, _Console]] = []
        self._sequence = 0
        self._unheard: dict[str, _Console] = {}
        self._handed_on_at_s = self._all_handed_on_at_s = 0.0
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin reading and handing on."""
        for name, work in (("console-reader", self._read), ("console-writer", self._hand_on)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Hand on what is left, disconnect from all; guests run on."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        os.eventfd_write(self._wake, 1)
        for thread in self._threads:
            thread.join(timeout_s)
        with self._lock:
            for console in list(self._consoles.values()):
                self._forget(console)
            self._epoll.close()
            os.close(self._wake)

    def add(self, serial: str, console_socket: Path) -> None:
        """Follow a guest's console, connecting again whenever it is lost; twice is once."""
        with self._lock:
            known = self._consoles.get(serial)
            if self._stopping or (known is not None and known.path == console_socket):
                return
            if known is not None:
                self._forget(known)
            console = _Console(serial, console_socket)
            self._consoles[serial] = console
            self._connect(console)
            os.eventfd_write(self._wake, 1)  # for the time of its next try

    def remove(self, serial: str) -> None:
        """Stop following a guest's console."""
        with self._lock:
            console = self._consoles.get(serial)
            if console is not None:
                self._forget(console)

    def write(self, serial: str, keys: bytes) -> int:
        """Type on a guest's console; gives how many bytes it took, which may be none.

        Never waits: a guest that does not read what is typed loses it.
        """
        with self._lock:
            console = self._consoles.get(serial)
            if console is None or console.socket is None:
                return 0
            console.typed_until_s = time.monotonic() + TYPED_FOR_S
            try:
                return console.socket.send(keys)
            except OSError:  # full, or the guest has just ended, which the reader will notice
                return 0

    def tail(self, serial: str) -> bytes:
        """The last 64 KiB that were read of a guest's console; nothing for an unknown one."""
        with self._lock:
            console = self._consoles.get(serial)
            return b"" if console is None else console.kept.content()

    def _forget(self, console: _Console) -> None:
        self._disconnect(console)
        del self._consoles[console.serial]

    def _connect(self, console: _Console) -> None:
        try:
            console.socket = connect(console.path)
        except OSError:
            delay_s = _RETRY_S[min(console.tries, len(_RETRY_S) - 1)]
            console.tries += 1
            self._sequence += 1
            heapq.heappush(
                self._retries, (time.monotonic() + delay_s, self._sequence, console)
            )
            return
        self._by_descriptor[console.socket.fileno()] = console
        self._epoll.register(console.socket.fileno(), select.EPOLLIN)

    def _disconnect(self, console: _Console) -> None:
        if console.socket is not None:
            self._epoll.unregister(console.socket.fileno())
            del self._by_descriptor[console.socket.fileno()]
            console.socket.close()
            console.socket = None

    def _read(self) -> None:
        while True:
            with self._lock:
                timeout_s = self._reconnect_due()
            events = self._epoll.poll(timeout_s)
            with self._lock:
                if self._stopping:
                    return
                for descriptor, _ in events:
                    if descriptor == self._wake:
                        with contextlib.suppress(BlockingIOError):
                            os.eventfd_read(self._wake)
                    elif descriptor in self._by_descriptor:
                        self._take(self._by_descriptor[descriptor])
            time.sleep(GATHER_S)

    def _reconnect_due(self) -> float | None:
        """Try again what is due; the seconds until the next try, None for none."""
        while self._retries:
            due_in_s = self._retries[0][0] - time.monotonic()
            if due_in_s > 0:
                return due_in_s
            console = heapq.heappop(self._retries)[2]
            if self._consoles.get(console.serial) is console:
                self._connect(console)
        return None

    def _take(self, console: _Console) -> None:
        if console.socket is None:
            return
        try:
            chunk = console.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._disconnect(console)
            self._connect(console)
            return
        console.tries = 0
        console.kept.append(chunk)
        console.share.append(chunk)
        if not self._unheard or console.typed_until_s > time.monotonic():
            self._lock.notify_all()
        self._unheard[console.serial] = console

    def _hand_on(self) -> None:
        while True:
            with self._lock:
                while (wait_s := self._next_round_in()) is None or wait_s > 0:
                    self._lock.wait(wait_s)
                last = self._stopping
                chunks = self._due(time.monotonic(), last)
            for serial, chunk in chunks:
                try:
                    self._on_output(serial, chunk)
                except Exception:
                    log.exception("The console output of %s was not taken", serial)
            if last:
                return

    def _next_round_in(self) -> float | None:
        """Seconds until something is to be handed on; None while nobody has said anything."""
        if self._stopping:
            return 0.0
        if not self._unheard:
            return None
        now_s = time.monotonic()
        due_s = self._all_handed_on_at_s + self._every_s
        if any(each.typed_until_s > now_s for each in self._unheard.values()):
            due_s = min(due_s, self._handed_on_at_s + self._typed_every_s)
        return max(0.0, due_s - now_s)

    def _due(self, now_s: float, last: bool) -> list[tuple[str, bytes]]:
        """What is to be handed on in this round."""
        consoles = list(self._unheard.values())
        self._handed_on_at_s = now_s
        if last or now_s - self._all_handed_on_at_s >= self._every_s:
            self._all_handed_on_at_s = now_s
        else:
            consoles = [each for each in consoles if each.typed_until_s > now_s]
        chunks = []
        for console in consoles:
            if chunk := console.share.take(now_s, last=last):
                chunks.append((console.serial, chunk))
            if not len(console.share):
                self._unheard.pop(console.serial, None)
        return chunks
