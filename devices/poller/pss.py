"""Exact memory of guests, a few a second in rotation, within a budget of time.

Reading smaps_rollup makes the kernel walk every page of a process, and only root may read another
user's: so this runs in the worker, and the poller merges what it found.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from devices.host import guest_memory
from devices.host.guest_memory import GuestCost, GuestMemory
from devices.host.guests import TICKS_PER_S, since_boot_s, start_time
from devices.poller.guest import GuestRef

log = logging.getLogger(__name__)

TURN_S = 1.0
BUDGET_S = 0.005
LEAST_AGE_S = 10.0
# what was measured longer ago is measured again even while new guests come in
STALE_S = 60.0
LIST_EVERY_S = 10.0
PUBLISH_EVERY_S = 5.0


def read_memory(guest: GuestRef) -> GuestMemory | None:
    """A guest's exact memory; None when it is gone or not ours to look at."""
    return guest_memory.read(guest.pid) if start_time(guest.pid) == guest.start_time else None


class PssRotation:
    """Measures guests in turn; what it knows is in `known_kib` (their PSS) and `costs`.

    A turn measures until `budget_s` is spent, at least one guest, and none that was measured less
    than `least_age_s` ago. New guests come first, but for every other turn: a long burst of them
    must not keep the settled ones' figures as they were.
    """

    def __init__(
        self,
        *,
        measure: Callable[[GuestRef], GuestMemory | None] = read_memory,
        budget_s: float = BUDGET_S,
        least_age_s: float = LEAST_AGE_S,
        clock: Callable[[], float] = time.monotonic,
        boot_clock: Callable[[], float] = since_boot_s,
    ) -> None:
        self._measure = measure
        self._budget_s = budget_s
        self._least_age_s = least_age_s
        self._clock = clock
        self._boot_clock = boot_clock
        self._guests: dict[str, GuestRef] = {}
        self._measured_at: dict[str, float] = {}
        self._turns = 0
        self.known_kib: dict[str, int] = {}
        self.costs: dict[str, GuestCost] = {}

    def set_guests(self, guests: Iterable[GuestRef]) -> None:
        """Rotate over these guests; what was known of others, or of a former process, is lost."""
        current = {guest.serial: guest for guest in guests}
        for serial, guest in self._guests.items():
            if current.get(serial) != guest:
                self._measured_at.pop(serial, None)
                self._forget(serial)
        # Never measured ones first, then the longest ago.
        self._guests = dict(
            sorted(current.items(), key=lambda item: self._measured_at.get(item[0], float("-inf")))
        )

    def turn(self) -> int:
        """Measure what is due, within the budget; the number measured."""
        began_at = self._clock()
        count = 0
        for serial in self._order(began_at):
            measured_at = self._measured_at.get(serial)
            now = self._clock()
            if count and now - began_at >= self._budget_s:
                break
            if measured_at is not None and now - measured_at < self._least_age_s:
                break
            guest = self._guests.pop(serial)
            self._guests[serial] = guest
            self._measured_at[serial] = now
            memory = self._measure(guest)
            if memory is None:
                self._forget(serial)
            else:
                self._know(guest, memory)
            count += 1
        return count

    def _order(self, now: float) -> list[str]:
        self._turns += 1
        order = list(self._guests)
        if self._turns % 2 == 0:
            stale_at = now - STALE_S
            order.sort(key=lambda serial: self._measured_at.get(serial, now) > stale_at)
        return order

    def _know(self, guest: GuestRef, memory: GuestMemory) -> None:
        self.known_kib[guest.serial] = memory.total_kib
        now_s = self._boot_clock()
        self.costs[guest.serial] = GuestCost(
            age_s=now_s - guest.start_time / TICKS_PER_S,
            measured_at_s=now_s,
            # the template's process may share with them all
            one_more_kib=memory.one_more_kib(len(self._guests) + 1),
        )

    def _forget(self, serial: str) -> None:
        self.known_kib.pop(serial, None)
        self.costs.pop(serial, None)


class PssThread:
    """Turns the rotation once a second and publishes what is known, from a thread of its own."""

    def __init__(
        self,
        rotation: PssRotation,
        *,
        load_guests: Callable[[], Iterable[GuestRef]],
        publish: Callable[[dict[str, int]], None],
        learn: Callable[[dict[str, GuestCost]], None] = lambda costs: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rotation = rotation
        self._load_guests = load_guests
        self._publish = publish
        self._learn = learn
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
            self._learn(dict(self._rotation.costs))

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
