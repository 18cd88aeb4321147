"""Has the kernel merge what this host's guests have in common, at a pace that pays.

Runs in the worker, which alone may set it. `devices.host.ksm_pace` decides; here it is told what
happens, and what it decided is set and published for the page.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

from devices.host import cgroup, ksm, ksm_control, ksmd, memory
from devices.host.errors import CannotMerge
from devices.host.ksm_control import KsmControl
from devices.host.ksm_pace import FIRST_PAGES_PER_CPU_S, Pace, Pacer, Reading, State
from devices.services import bus
from devices.services.growth import Growth
from devices.services.merging_choice import Choice

log = logging.getLogger(__name__)

OFF = "off"
MERGING_TICK_S = 1.0
RESTING_TICK_S = 15.0
# a rate read off less of ksmd's time than this is mostly rounding
LEAST_CPU_S = 0.05
CHOSEN_WITHIN_S = 5.0
ANOTHER_FLEET = "Another fleet on this machine has equal memory merged for all guests."
MIB = 1 << 20

_running: Merger | None = None
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


def running() -> Merger | None:
    """What paces merging in this process, if anything does."""
    return _running


class Merger:
    """The thread that paces ksmd; `count` gives the number of guests that run."""

    def __init__(
        self, host_name: str, count: Callable[[], int], root: Path = Path("/")
    ) -> None:
        self._root = root
        self._host_name = host_name
        self._count = count
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="merging", daemon=True)
        self._limit = cgroup.memory_limit(root)
        self._control: KsmControl | None = None
        self._pacer: Pacer | None = None
        self._spent: tuple[float, float] | None = None
        self._shut_out = ""
        self._rate_since: Reading | None = None
        self._pages_per_cpu_s = FIRST_PAGES_PER_CPU_S
        self._growth = Growth()
        self._said = ""
        self._pid = ksmd.find(root)
        self._choice = Choice(settings.KSM)
        self._followed: Choice | None = None
        self._problem = ""
        self._changed = threading.Condition()
        self._nudged = threading.Event()

    @property
    def holds(self) -> bool:
        """Whether this process has the machine's merging in hand."""
        return self._control is not None

    @property
    def choice(self) -> Choice:
        """How merging is to be now."""
        return self._choice

    @property
    def shut_out(self) -> str:
        """Why merging is somebody else's on this machine, as a sentence; empty when it is not."""
        return self._shut_out

    @property
    def ksmd_pid(self) -> int | None:
        """The number of the kernel's thread, where it is to be seen."""
        return self._pid

    def choose(self, choice: Choice, within_s: float = CHOSEN_WITHIN_S) -> str:
        """Have merging be so; gives why it is not, as a sentence, and nothing when it is."""
        with self._changed:
            self._choice = choice
            self._nudged.set()
            _woken.set()
            if not self._changed.wait_for(lambda: self._followed is choice, within_s):
                return "The worker did not come to it in time; it will."
            return self._problem

    def start(self) -> None:
        """Begin pacing."""
        global _running
        _running = self
        self._thread.start()

    def stop(self) -> None:
        """Have ksmd stand still; what was merged stays so."""
        global _running
        _running = None
        self._stopping.set()
        self._nudged.set()
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
        while True:
            choice = self._choice
            pace, problem = None, ""
            try:
                if choice is not self._followed:
                    # what was begun under another choice says nothing of this one
                    self._pacer = None
                pace = self._round(choice)
            except CannotMerge as error:
                problem = str(error)
                self._off(problem)
            except Exception as error:
                problem = f"Merging could not be set: {error}"
                log.exception("merging could not be paced")
            self._follow(choice, problem or self._shut_out)
            merging = pace is not None and pace.state is State.MERGING
            # a start wakes it from its rest, a person's choice from both
            if merging:
                self._nudged.wait(MERGING_TICK_S)
            else:
                _woken.wait(RESTING_TICK_S)
            _woken.clear()
            self._nudged.clear()
            if self._stopping.is_set():
                return

    def _follow(self, choice: Choice, problem: str) -> None:
        with self._changed:
            self._followed, self._problem = choice, problem
            self._changed.notify_all()

    def _round(self, choice: Choice) -> Pace | None:
        """Decide and set once; None while there is nothing to pace."""
        self._shut_out = ""
        if choice.leaves_alone:
            self._let_go()
            problem = ksm_control.restore(self._root).problem
            if problem:
                raise CannotMerge(problem)
            self._off(choice.sentence)
            return None
        if self._control is None:
            self._control = ksm_control.take(self._root)
            if self._control is None:
                self._shut_out = ANOTHER_FLEET
                self._off(ANOTHER_FLEET)
                return None
        if choice.mode == "off":
            self._control.rest()
            self._off(choice.sentence)
            return None
        if choice.mode == "on":
            self._fixed(self._control, choice)
            return None
        return self._paced(self._control)

    def _let_go(self) -> None:
        if self._control is not None:
            self._control.release()
            self._control = None

    def _fixed(self, control: KsmControl, choice: Choice) -> None:
        control.merge_at(choice.pages_to_scan, choice.sleep_ms)
        self._say(
            State.MERGING,
            f"Merges at a fixed pace: {choice.pages_to_scan:,} pages, then {choice.sleep_ms:,} ms "
            "of rest.",
            self._share(),
        )

    def _share(self) -> float | None:
        """The share of a core that ksmd took since this was asked last; None where unknown."""
        if self._pid is None:
            return None
        try:
            now = time.monotonic(), ksmd.cpu_s(self._pid, self._root)
        except OSError:
            return None
        since, self._spent = self._spent, now
        return 0.0 if since is None else (now[1] - since[1]) / max(0.001, now[0] - since[0])

    def _paced(self, control: KsmControl) -> Pace:
        sample = ksm.read(self._root)
        if sample is None or self._pid is None:
            raise CannotMerge("What the kernel's merging has done and cost cannot be read.")
        now = self._reading(sample, self._pid)
        if self._pacer is None:
            # guests that a former worker started were merged as far as it paid
            self._pacer = Pacer(covered=now.started if sample.pages_sharing else 0)
        pace = self._pacer.step(now)
        share = self._share() or 0.0
        self._learn_rate(now)
        if pace.core_share:
            control.merge(pace.core_share, self._pages_per_cpu_s)
        elif sample.run != 0:
            control.rest()
        self._say(pace.state, pace.reason, share)
        return pace

    def _reading(self, sample: ksm.KsmSample, pid: int) -> Reading:
        guests = self._count()
        free = memory.read(self._root, self._limit)
        with _start_lock:
            started = _started
        if self._pacer is None and started < guests:
            note_started(guests - started)
            started = guests
        return Reading(
            at_s=time.monotonic(),
            ksm=sample,
            ksmd_cpu_s=ksmd.cpu_s(pid, self._root),
            guests=guests,
            started=started,
            spare_bytes=free.available_bytes - settings.MEMORY_RESERVE_MIB * MIB,
            total_bytes=free.total_bytes,
            anonymous_bytes=memory.anonymous_bytes(self._root),
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
