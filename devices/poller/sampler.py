"""The clock: cores at 4 Hz, everything else at 1 Hz, whatever else is going on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from devices.host.cpu import CoreSample, CoreSampler
from devices.host.guests import GuestSampler
from devices.host.sample import HostSampler
from devices.poller.guest import GuestRef
from devices.poller.ticks import Ticks

log = logging.getLogger(__name__)

CORES_HZ = 4
# a guest is looked at every second, where there are many every few: CPU time moves in steps of
# 10 ms, and an idle guest uses less than that in a second
GUESTS_A_SECOND = 500
LONGEST_BETWEEN_S = 4
HEARTBEAT_EVERY_S = 5
PROCESS_NAME = "poller"


class Voice(Protocol):
    """What the sampler says, and to whom: `devices.services.bus` in earnest."""

    def publish_cores(self, host: str, at: float, busy: bytes) -> None:
        """Say how busy the cores are."""

    def publish_host_sample(self, host: str, sample: dict[str, Any]) -> None:
        """Say how the host feels."""

    def publish_guests_sample(
        self, host: str, at: float, rows: Sequence[Sequence[int | None]]
    ) -> None:
        """Say what each guest uses."""

    def heartbeat(self, process: str, host: str) -> None:
        """Say that the clock is running."""


class Roster(Protocol):
    """Which guests there are, and their last known exact memory in KiB by serial."""

    def guests(self) -> Sequence[GuestRef]:
        """The guests running on this host."""

    def pss_kib(self) -> Mapping[str, int]:
        """The last known exact memory of guests."""


def seconds_between(guests: int) -> int:
    """How many seconds pass from one sample of so many guests to the next."""
    return min(LONGEST_BETWEEN_S, max(1, -(-guests // GUESTS_A_SECOND)))


def guest_rows(
    guests: Sequence[GuestRef], sampler: GuestSampler, pss_kib: Mapping[str, int]
) -> list[tuple[int, int, int, int | None]]:
    """Slot, CPU per mille, RSS KiB and PSS KiB of every guest that is still there."""
    uses = sampler.sample([guest.process for guest in guests])
    return [
        (guest.slot, use.cpu_permille, use.rss_kib, pss_kib.get(guest.serial))
        for guest, use in zip(guests, uses, strict=True)
        if use is not None
    ]


class Sampler:
    """Samples the host in a thread of its own and offers what it found to a publisher.

    `offer(kind, say)` must return at once; it is given a closure that publishes. `each_second` is
    called on the same clock.
    """

    def __init__(
        self,
        host: str,
        *,
        voice: Voice,
        roster: Roster,
        offer: Callable[[str, Callable[[], None]], None],
        cores: CoreSampler | None = None,
        host_sampler: HostSampler | None = None,
        guest_sampler: GuestSampler | None = None,
        wall_clock: Callable[[], float] = time.time,
        each_second: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._voice = voice
        self._roster = roster
        self._offer = offer
        self._cores = cores or CoreSampler()
        self._host_sampler = host_sampler or HostSampler()
        self._guest_sampler = guest_sampler or GuestSampler()
        self._wall_clock = wall_clock
        self._each_second = each_second
        self._second = -1
        self._heartbeat_s = -HEARTBEAT_EVERY_S
        self._guests_s = -LONGEST_BETWEEN_S
        self._since_last: list[CoreSample] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self, beat: int) -> None:
        """Do what is due at a quarter second: the cores, and once a second everything else."""
        sample = self._cores.sample()
        self._since_last.append(sample)
        host, voice, at = self._host, self._voice, self._wall_clock()
        self._offer("cores", lambda: voice.publish_cores(host, at, sample.busy))
        second = beat // CORES_HZ
        if second == self._second:
            return
        self._second = second
        self._each_second()
        since_last, self._since_last = self._since_last, []
        host_sample = self._host_sampler.sample(since_last).to_json()
        self._offer("host", lambda: voice.publish_host_sample(host, host_sample))
        guests = self._roster.guests()
        if second - self._guests_s >= seconds_between(len(guests)):
            self._guests_s = second
            rows = guest_rows(guests, self._guest_sampler, self._roster.pss_kib())
            self._offer("guests", lambda: voice.publish_guests_sample(host, at, rows))
        if second - self._heartbeat_s >= HEARTBEAT_EVERY_S:
            self._heartbeat_s = second
            self._offer("heartbeat", lambda: voice.heartbeat(PROCESS_NAME, host))

    def start(self) -> None:
        """Start the clock."""
        self._thread = threading.Thread(target=self._run, name="poller-clock", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Stop the clock and let go of what it holds open."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return
        self._cores.close()
        self._guest_sampler.close()

    def _run(self) -> None:
        failing = False
        for beat in Ticks(1 / CORES_HZ).until(self._stop.wait):
            try:
                self.tick(beat)
                failing = False
            except Exception:
                if not failing:
                    log.exception("A sample of %s failed; sampling goes on", self._host)
                failing = True
