"""Exact memory of guests, a few a second in rotation, within a budget of time.

Reading smaps_rollup makes the kernel walk every page of a process, and only root may read another
user's: so this runs in the worker, and the poller merges what it found.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from devices.host.guests import pss_kib, start_time
from devices.poller.guest import GuestRef

log = logging.getLogger(__name__)

TURN_S = 1.0
BUDGET_S = 0.005
LEAST_AGE_S = 10.0
LIST_EVERY_S = 10.0
PUBLISH_EVERY_S = 5.0


def read_pss_kib(guest: GuestRef) -> int | None:
    """A guest's exact memory in KiB; None when it is gone or not ours to look at."""
    return pss_kib(guest.pid) if start_time(guest.pid) == guest.start_time else None


class PssRotation:
    """Measures guests in turn; what it knows is in `known_kib`.

    A turn measures until `budget_s` is spent, at least one guest, and none that was measured less
    than `least_age_s` ago.
    """

    def __init__(
        self,
        *,
        measure: Callable[[GuestRef], int | None] = read_pss_kib,
        budget_s: float = BUDGET_S,
        least_age_s: float = LEAST_AGE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure = measure
        self._budget_s = budget_s
        self._least_age_s = least_age_s
        self._clock = clock
        self._guests: dict[str, GuestRef] = {}
        self._measured_at: dict[str, float] = {}
        self.known_kib: dict[str, int] = {}

    def set_guests(self, guests: Iterable[GuestRef]) -> None:
        """Rotate over these guests; what was known of others, or of a former process, is lost."""
        current = {guest.serial: guest for guest in guests}
        for serial, guest in self._guests.items():
            if current.get(serial) != guest:
                self._measured_at.pop(serial, None)
                self.known_kib.pop(serial, None)
        # Never measured ones first, then the longest ago.
        self._guests = dict(
            sorted(current.items(), key=lambda item: self._measured_at.get(item[0], float("-inf")))
        )

    def turn(self) -> int:
        """Measure what is due, within the budget; the number measured."""
        began_at = self._clock()
        count = 0
        for serial in list(self._guests):
            measured_at = self._measured_at.get(serial)
            now = self._clock()
            if count and now - began_at >= self._budget_s:
                break
            if measured_at is not None and now - measured_at < self._least_age_s:
                break
            guest = self._guests.pop(serial)
            self._guests[serial] = guest
            self._measured_at[serial] = now
            kib = self._measure(guest)
            if kib is None:
                self.known_kib.pop(serial, None)
            else:
                self.known_kib[serial] = kib
            count += 1
        return count


class PssThread:
    """Turns the rotation once a second and publishes what is known, from a thread of its own."""

    def __init__(
        self,
        rotation: PssRotation,
        *,
        load_guests: Callable[[], Iterable[GuestRef]],
        publish: Callable[[dict[str, int]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rotation = rotation
        self._load_guests = load_guests
        self._publish = publish
        self._clock = clock
        self._list_due_at = clock()
        self._publish_due_at = clock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start measuring."""
        self._thread = threading.Thread(target=self._run, name="guests-pss", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 6.0) -> None:
        """Stop measuring."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def step(self) -> None:
        """Do what is due: the list of guests, a turn, publishing."""
        now = self._clock()
        if now >= self._list_due_at:
            self._list_due_at = now + LIST_EVERY_S
            self._rotation.set_guests(self._load_guests())
        self._rotation.turn()
        if now >= self._publish_due_at:
            self._publish_due_at = now + PUBLISH_EVERY_S
            self._publish(dict(self._rotation.known_kib))

    def _run(self) -> None:
        failing = False
        while not self._stop.wait(TURN_S):
            try:
                self.step()
                failing = False
            except Exception:
                if not failing:
                    log.exception("Guests' exact memory could not be measured; trying again")
                failing = True
