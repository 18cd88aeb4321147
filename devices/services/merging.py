"""Has the kernel merge what this host's guests have in common, at a pace that pays.

Runs in the worker, which alone may set it. `devices.host.ksm_pace` decides; here it is told what
happens, and what it decided is set and published for the page.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

from devices.host import cgroup, ksm, ksm_control, ksmd, memory
from devices.host.errors import CannotMerge
from devices.host.ksm_control import KsmControl
from devices.host.ksm_pace import FIRST_PAGES_PER_CPU_S, Pace, Pacer, Reading, State
from devices.services import bus

log = logging.getLogger(__name__)

OFF = "off"
MERGING_TICK_S = 1.0
RESTING_TICK_S = 15.0
# a rate read off less of ksmd's time than this is mostly rounding
LEAST_CPU_S = 0.05
# a clone grows by less than this at work, and by three times as much when it reboots
MARKED_GROWTH_KIB = 40 * 1024
MIB = 1 << 20

_started = 0
_start_lock = threading.Lock()
_woken = threading.Event()


def note_started(guests: int) -> None:
    """So many more guests were started: there may be something to merge."""
    global _started
    with _start_lock:
        _started += guests
    _woken.set()


@dataclass(frozen=True)
class Status:
    """How merging is: `merging`, `resting` or `off`, why, and ksmd's share of one core lately."""

    state: str
    sentence: str
    core_share: float | None
    at: float


class Growth:
    """By how much guests have grown in all since each was small: most of it by rebooting."""

    def __init__(self) -> None:
        self._least_kib: dict[str, int] = {}
        self._grown_kib = 0

    def bytes_after(self, pss_kib: Mapping[str, int]) -> int:
        """The growth so far in bytes, now that these are the guests' exact sizes by serial."""
        least = {serial: self._least_kib.get(serial, kib) for serial, kib in pss_kib.items()}
        for serial, kib in pss_kib.items():
            if kib > least[serial] + MARKED_GROWTH_KIB:
                self._grown_kib += kib - least[serial]
                least[serial] = kib
            least[serial] = min(kib, least[serial])
        self._least_kib = least
        return self._grown_kib * 1024


class Merger:
    """The thread that paces ksmd; `count` gives the number of guests that run."""

    def __init__(self, host_name: str, count: Callable[[], int]) -> None:
        self._host_name = host_name
        self._count = count
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="merging", daemon=True)
        self._limit = cgroup.memory_limit(Path("/"))
        self._control: KsmControl | None = None
        self._pacer: Pacer | None = None
        self._last: Reading | None = None
        self._rate_since: Reading | None = None
        self._pages_per_cpu_s = FIRST_PAGES_PER_CPU_S
        self._growth = Growth()
        self._said = ""
        self._pid = ksmd.find()

    @property
    def holds(self) -> bool:
        """Whether this process has the machine's merging in hand."""
        return self._control is not None

    def start(self) -> None:
        """Begin pacing."""
        self._thread.start()

    def stop(self) -> None:
        """Have ksmd stand still; what was merged stays so."""
        self._stopping.set()
        _woken.set()
        self._thread.join(5.0)
        if self._control is not None:
            try:
                self._control.rest()
            except CannotMerge as error:
                log.warning("%s", error)
            self._control.release()
            self._control = None

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.is_set():
            if wait_s == RESTING_TICK_S:
                _woken.wait(wait_s)
            else:
                self._stopping.wait(wait_s)
            _woken.clear()
            try:
                pace = self._round()
            except CannotMerge as error:
                self._off(str(error))
                return
            except Exception:
                log.exception("merging could not be paced")
                pace = None
            merging = pace is not None and pace.state is State.MERGING
            wait_s = MERGING_TICK_S if merging else RESTING_TICK_S

    def _round(self) -> Pace | None:
        """Decide and set once; None while it is not this process's to decide."""
        if settings.KSM != "auto":
            problem = ksm_control.restore().problem
            self._off(problem or _WHY_OFF[settings.KSM])
            return None
        if self._control is None:
            self._control = ksm_control.take()
            if self._control is None:
                self._off("Another fleet on this machine has equal memory merged for all guests.")
                return None
        sample = ksm.read()
        if sample is None or self._pid is None:
            raise CannotMerge("What the kernel's merging has done and cost cannot be read.")
        now = self._reading(sample, self._pid)
        if self._pacer is None:
            # guests that a former worker started were merged as far as it paid
            self._pacer = Pacer(covered=now.started if sample.pages_sharing else 0)
        pace = self._pacer.step(now)
        spent = 0.0 if self._last is None else now.ksmd_cpu_s - self._last.ksmd_cpu_s
        share = 0.0 if self._last is None else spent / max(0.001, now.at_s - self._last.at_s)
        self._learn_rate(now)
        if pace.core_share:
            self._control.merge(pace.core_share, self._pages_per_cpu_s)
        elif sample.run != 0:
            self._control.rest()
        self._say(pace.state, pace.reason, share)
        self._last = now
        return pace

    def _reading(self, sample: ksm.KsmSample, pid: int) -> Reading:
        guests = self._count()
        free = memory.read(limit=self._limit)
        with _start_lock:
            started = _started
        if self._pacer is None and started < guests:
            note_started(guests - started)
            started = guests
        return Reading(
            at_s=time.monotonic(),
            ksm=sample,
            ksmd_cpu_s=ksmd.cpu_s(pid),
            guests=guests,
            started=started,
            spare_bytes=free.available_bytes - settings.MEMORY_RESERVE_MIB * MIB,
            total_bytes=free.total_bytes,
            anonymous_bytes=memory.anonymous_bytes(),
            grown_bytes=self._growth.bytes_after(bus.pss(self._host_name)),
        )

    def _learn_rate(self, now: Reading) -> None:
        since = self._rate_since
        if since is None or now.ksm.pages_scanned is None or since.ksm.pages_scanned is None:
            self._rate_since = now
            return
        cpu_s = now.ksmd_cpu_s - since.ksmd_cpu_s
        if cpu_s >= LEAST_CPU_S:
            self._pages_per_cpu_s = (now.ksm.pages_scanned - since.ksm.pages_scanned) / cpu_s
            self._rate_since = now

    def _off(self, sentence: str) -> None:
        self._say(OFF, sentence, None)

    def _say(self, state: str, sentence: str, core_share: float | None) -> None:
        if sentence != self._said:
            log.info("merging: %s", sentence)
            self._said = sentence
        share = None if core_share is None else round(core_share, 3)
        status = Status(state, sentence, share, time.time())
        bus.keep_merging_status(self._host_name, asdict(status))


_WHY_OFF = {
    "off": "Switched off (FLEETDASH_KSM=off).",
    "leave": "Left to the operator's own settings (FLEETDASH_KSM=leave).",
}
