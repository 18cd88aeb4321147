"""Which guests there are: told by the worker as they come and go, and by a full list now and then.

A message can be lost (Redis was away, the poller restarted); the list, every half minute and at
each new connection, makes up for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from devices.poller.errors import BadMessage
from devices.poller.guest import GuestRef, parse_message
from devices.poller.subscription import Disconnected, Subscription
from devices.poller.watch import PidfdWatch

log = logging.getLogger(__name__)

LIST_EVERY_S = 30.0
PSS_EVERY_S = 5.0
RECONNECT_S = 1.0
LISTEN_S = 1.0


class RosterKeeper:
    """Keeps a watch's guests up to date, from a thread of its own.

    `load_guests()` gives all living guests of this host; `load_pss()` the last known exact memory,
    serial → KiB.
    """

    def __init__(
        self,
        watch: PidfdWatch,
        subscription: Subscription,
        *,
        load_guests: Callable[[], Iterable[GuestRef]],
        load_pss: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._subscription = subscription
        self._load_guests = load_guests
        self._load_pss = load_pss
        self._clock = clock
        self._list_due_at = clock()
        self._pss_due_at = clock()
        self._pss: Mapping[str, int] = {}
        self._connected = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def guests(self) -> Sequence[GuestRef]:
        """The guests running on this host."""
        return self._watch.guests()

    def pss_kib(self) -> Mapping[str, int]:
        """The last known exact memory of guests, in KiB by serial."""
        return self._pss

    def start(self) -> None:
        """Start listening."""
        self._thread = threading.Thread(target=self._run, name="poller-roster", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 6.0) -> None:
        """Stop listening."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._subscription.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._connect()
                self.refresh()
                self._listen()
            except Disconnected as error:
                if self._connected:
                    log.warning("Redis is away, guests are taken from the database: %s", error)
                self._connected = False
                self.refresh()
                self._stop.wait(RECONNECT_S)

    def _connect(self) -> None:
        if not self._connected:
            self._subscription.open()
            self._connected = True
            self._list_due_at = self._clock()

    def refresh(self) -> None:
        """Load what is due to be loaded."""
        now = self._clock()
        if now >= self._list_due_at:
            self._list_due_at = now + LIST_EVERY_S
            try:
                self._watch.reconcile(self._load_guests(), as_of=now)
            except Exception:
                log.exception("The list of guests could not be loaded; trying again")
                self._list_due_at = now + PSS_EVERY_S
        if self._connected and now >= self._pss_due_at:
            self._pss_due_at = now + PSS_EVERY_S
            self._pss = self._load_pss()

    def _listen(self) -> None:
        data = self._subscription.read(LISTEN_S)
        if data is None:
            return
        try:
            message = parse_message(data)
        except BadMessage as error:
            log.error("A message of the worker was ignored: %s", error)
            return
        self._watch.remove(message.ended)
        self._watch.add(message.started)
