"""Notices the end of a guest within milliseconds, through its pidfd.

A pidfd becomes readable when its process ends (pidfd_open(2)); a thousand of them in one epoll cost
one open file each and nothing while nothing happens. The number of a process may be given to
another, so its start time is checked after the pidfd is open.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from devices.host import endings
from devices.host.endings import Ending
from devices.host.guests import start_time
from devices.poller.guest import GuestRef

log = logging.getLogger(__name__)

BATCH_S = 0.05
RETRY_S = 1.0
_EVENTS_AT_ONCE = 1024


class PidfdWatch:
    """Watches guests from a thread of its own; `on_exit` is called there, in batches.

    It is given how each guest ended, by serial. Deaths within `batch_s` of the first are told
    together, which leaves time for somebody to have waited for them. When `on_exit` raises, they
    are told again a second later. Methods may be called from any thread.
    """

    def __init__(
        self,
        on_exit: Callable[[Mapping[str, Ending]], object],
        *,
        boot_id: str,
        batch_s: float = BATCH_S,
        root: Path = Path("/"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_exit = on_exit
        self._boot_id = boot_id
        self._batch_s = batch_s
        self._root = root
        self._clock = clock
        self._lock = threading.Lock()
        self._guests: dict[str, GuestRef] = {}
        self._added_at: dict[str, float] = {}
        self._pidfds: dict[str, int] = {}
        self._serials: dict[int, str] = {}
        # of those that ended: their pidfd, which still tells how, where there is one
        self._ended: dict[str, int | None] = {}
        self._how: dict[str, Ending] = {}
        self._due_at: float | None = None
        self._stopped = False
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._thread: threading.Thread | None = None

    def guests(self) -> list[GuestRef]:
        """The guests being watched, all alive as far as is known."""
        with self._lock:
            return list(self._guests.values())

    def add(self, guests: Iterable[GuestRef]) -> None:
        """Watch these guests too; one that is already dead, or another process, counts as ended."""
        with self._lock:
            for guest in guests:
                self._add(guest)

    def remove(self, serials: Iterable[str]) -> None:
        """Stop watching: the worker ended these itself."""
        with self._lock:
            for serial in serials:
                self._drop(serial)
                self._forget_end(serial)

    def reconcile(self, guests: Iterable[GuestRef], *, as_of: float) -> None:
        """Watch exactly these guests, as they were at clock time `as_of`.

        A guest added after that is left alone: the list is older than the news of it.
        """
        listed = {guest.serial: guest for guest in guests}
        with self._lock:
            for serial in list(self._guests):
                if serial not in listed and self._added_at[serial] < as_of:
                    self._drop(serial)
            for serial, guest in listed.items():
                if self._added_at.get(serial, as_of) <= as_of:
                    self._add(guest)

    def _add(self, guest: GuestRef) -> None:
        if self._guests.get(guest.serial) == guest and guest.serial in self._pidfds:
            return
        self._drop(guest.serial)
        self._forget_end(guest.serial)
        if guest.boot_id != self._boot_id:
            self._note_end(guest.serial)
            return
        try:
            pidfd = os.pidfd_open(guest.pid)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                log.error(
                    "No open files are left to watch guest %s with; its end will be noticed late. "
                    "Raise the limit of open files (ulimit -n).", guest.serial
                )  # fmt: skip
                self._keep(guest)
            else:
                self._note_end(guest.serial)
            return
        if start_time(guest.pid, self._root) != guest.start_time:
            os.close(pidfd)
            self._note_end(guest.serial)
            return
        self._keep(guest)
        self._pidfds[guest.serial] = pidfd
        self._serials[pidfd] = guest.serial
        self._epoll.register(pidfd, select.EPOLLIN)

    def _keep(self, guest: GuestRef) -> None:
        self._guests[guest.serial] = guest
        self._added_at[guest.serial] = self._clock()

    def _drop(self, serial: str) -> None:
        pidfd = self._release(serial)
        if pidfd is not None:
            os.close(pidfd)

    def _release(self, serial: str) -> int | None:
        """Watch a guest no longer; its pidfd, still open, is the caller's."""
        self._guests.pop(serial, None)
        self._added_at.pop(serial, None)
        pidfd = self._pidfds.pop(serial, None)
        if pidfd is not None:
            del self._serials[pidfd]
            self._epoll.unregister(pidfd)
        return pidfd

    def _forget_end(self, serial: str) -> None:
        self._how.pop(serial, None)
        pidfd = self._ended.pop(serial, None)
        if pidfd is not None:
            os.close(pidfd)

    def _note_end(self, serial: str, pidfd: int | None = None) -> None:
        self._ended[serial] = pidfd
        if self._due_at is None:
            self._due_at = self._clock() + self._batch_s
            if threading.current_thread() is not self._thread:
                os.eventfd_write(self._wake, 1)

    def start(self) -> None:
        """Start watching."""
        self._thread = threading.Thread(target=self._run, name="poller-watch", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 6.0) -> None:
        """Stop watching; guests run on."""
        self._stopped = True
        os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return
        with self._lock:
            for serial in list(self._pidfds):
                self._drop(serial)
            for serial in list(self._ended):
                self._forget_end(serial)
        self._epoll.close()
        os.close(self._wake)

    def _run(self) -> None:
        while not self._stopped:
            with self._lock:
                due_at = self._due_at
            timeout_s = -1.0 if due_at is None else max(0.0, due_at - self._clock())
            events = self._epoll.poll(timeout_s, _EVENTS_AT_ONCE)
            with self._lock:
                for descriptor, _ in events:
                    self._see(descriptor)
            self._tell()

    def _see(self, descriptor: int) -> None:
        if descriptor == self._wake:
            os.eventfd_read(self._wake)
            return
        serial = self._serials.get(descriptor)
        # Between the event and now the number may have been given to a living guest's pidfd.
        if serial is not None and _is_readable(descriptor):
            self._note_end(serial, self._release(serial))

    def _tell(self) -> None:
        with self._lock:
            if self._due_at is None or self._clock() < self._due_at:
                return
            self._due_at = None
            ended = {serial: self._ending(serial) for serial in list(self._ended)}
        if not ended:
            return
        try:
            self._on_exit(ended)
        except Exception:
            log.exception("The end of %d guests was not taken in; trying again", len(ended))
            with self._lock:
                for serial, ending in ended.items():
                    if serial not in self._guests:
                        self._ended.setdefault(serial)
                        self._how[serial] = ending
                self._due_at = self._clock() + RETRY_S

    def _ending(self, serial: str) -> Ending:
        pidfd = self._ended[serial]
        ending = self._how.get(serial, Ending()) if pidfd is None else endings.of(pidfd)
        self._forget_end(serial)
        return ending


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
