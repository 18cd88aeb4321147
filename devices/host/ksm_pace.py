"""How hard the kernel is to look for equal pages: decided from what it cost and brought so far.

A *pass* is one look at all memory that is offered. Memory merges in the second pass that sees it,
or in the first when its twin is merged already; a pass that was under way when a guest started may
have missed it. So a *round* for new guests ends with the second whole pass after the last start.
A round is bought with processor time and begins only when it promises enough memory for it.
Between rounds ksmd stands still, and what was merged stays merged.

What a round brought is seen in the anonymous memory of the machine, less the kernel's records. The
kernel's own `general_profit` takes each merged page for one saved, and of forked processes most are
pages that they had in common anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from devices.host.ksm import KsmSample

MIB = 1 << 20
# Shares of one core; ksmd is one thread, and makes way for others by its nice value of 5.
BESIDE_LAUNCHES = 0.05
AFTER_LAUNCHES = 0.90
LOOKING_AGAIN = 0.05
ALL = 0.95
# No start for so long ends a burst.
BURST_ENDS_S = 5.0
# Free memory, as a share of all, under which merging grows more urgent until none is left.
PLENTY_FREE = 0.4
# Less memory for a second of processor time is not worth having while memory is plentiful.
WORTH_BYTES_PER_CPU_S = 4 * MIB
# What a guest is taken to bring and to cost until a round has shown it, and how many guests show
# it: what a few bring is lost in what else comes and goes on a machine.
ENOUGH_GUESTS = 20
FIRST_GAIN_BYTES = 2 * MIB
FIRST_COST_CPU_S = 0.1
# What merges again of the memory by which a guest grew: 62 of 118 MiB after a reboot.
GROWN_EQUAL = 0.5
# Looking again may take this share of a core on average, and more when memory is short.
AGAIN_SHARE, AGAIN_SHARE_SHORT = 0.005, 0.05
AGAIN_AFTER_S, AGAIN_AFTER_SHORT_S = 600.0, 120.0
# A pass that has cost so much and brought less than it is worth is not finished.
ENOUGH_TO_TELL_CPU_S = 5.0


class State(StrEnum):
    """What merging does."""

    MERGING = "merging"
    RESTING = "resting"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is known at `at_s` (monotonic seconds).

    `guests` run now, `started` counts every start so far, and `grown_bytes` all memory by which
    guests have grown markedly since theirs, as by a reboot; `anonymous_bytes` is the machine's;
    `spare_bytes` is free memory above what
    is kept in reserve, of `total_bytes`; `ksmd_cpu_s` is what ksmd has used so far.
    """

    at_s: float
    ksm: KsmSample
    ksmd_cpu_s: float
    guests: int
    started: int
    spare_bytes: int
    total_bytes: int
    anonymous_bytes: int
    grown_bytes: int = 0

    @property
    def taken_bytes(self) -> int:
        """What merging can make less: anonymous memory, and the kernel's records of it."""
        return self.anonymous_bytes + self.ksm.records_bytes

    @property
    def urgency(self) -> float:
        """How short memory is: 0 while there is plenty, 1 when nothing is free."""
        free = self.spare_bytes / self.total_bytes
        return max(0.0, min(1.0, 1 - free / PLENTY_FREE))

    @property
    def wanted_bytes_per_cpu_s(self) -> float:
        """The least memory for a second of processor time: none when nothing is free."""
        return WORTH_BYTES_PER_CPU_S * (1 - self.urgency)


@dataclass(frozen=True)
class Pace:
    """The share of one core that merging may take, 0 to stand still, and why, as a sentence."""

    state: State
    core_share: float
    reason: str


@dataclass
class _Round:
    """A round under way; `looking` for what changed in guests that were merged before."""

    began: Reading
    covered_before: int
    looking: bool
    last_start_s: float
    scans_at_last_start: int
    pass_began: Reading
    quiet_since: Reading | None = None

    def whole_passes(self, ksm: KsmSample) -> int:
        """Passes that began and ended since the last start."""
        return max(0, ksm.full_scans - self.scans_at_last_start - 1)


class Pacer:
    """Decides the pace from one reading after another."""

    def __init__(self, *, covered: int = 0) -> None:
        """`covered` guests of those started were merged by a predecessor already."""
        self._covered = covered
        self._covered_grown_bytes = 0
        self._round: _Round | None = None
        self._gain_bytes = float(FIRST_GAIN_BYTES)
        self._cost_cpu_s = FIRST_COST_CPU_S
        self._pass_cpu_s: float | None = None
        self._ended_s: float | None = None
        self._verdict = "nothing was merged yet"

    def step(self, now: Reading) -> Pace:
        """The pace from now on; call it every second or so while merging."""
        if now.guests == 0:
            self._round, self._covered = None, now.started
            self._covered_grown_bytes = now.grown_bytes
            self._gain_bytes, self._cost_cpu_s = float(FIRST_GAIN_BYTES), FIRST_COST_CPU_S
            self._verdict = "nothing was merged yet"
            return Pace(State.RESTING, 0.0, "Rests: no guest runs.")
        if self._round is None:
            why_not = self._begin(now)
            if why_not:
                return Pace(State.RESTING, 0.0, why_not)
        assert self._round is not None
        return self._go_on(self._round, now)

    def _begin(self, now: Reading) -> str:
        """Begin a round that pays; else why none is begun."""
        new = now.started - self._covered
        grown_bytes = now.grown_bytes - self._covered_grown_bytes
        promised = new * self._gain_bytes + grown_bytes * GROWN_EQUAL
        wanted = now.wanted_bytes_per_cpu_s * self._cost_cpu_s * now.guests
        if promised > 0 and promised >= wanted:
            self._round = self._new_round(now, looking=False)
            return ""
        if self._ended_s is not None and now.at_s >= self._ended_s + self._again_after_s(now):
            self._round = self._new_round(now, looking=True)
            return ""
        if new > 0:
            few = "1 guest that started since is" if new == 1 else f"{new} guests started since are"
            return f"Rests: {self._verdict}; {few} too few to look at all memory again."
        return f"Rests: {self._verdict}."

    def _new_round(self, now: Reading, *, looking: bool) -> _Round:
        last_start_s = now.at_s if not looking else now.at_s - BURST_ENDS_S
        return _Round(now, self._covered, looking, last_start_s, now.ksm.full_scans, now)

    def _again_after_s(self, now: Reading) -> float:
        share = AGAIN_SHARE + now.urgency * (AGAIN_SHARE_SHORT - AGAIN_SHARE)
        least = AGAIN_AFTER_S + now.urgency * (AGAIN_AFTER_SHORT_S - AGAIN_AFTER_S)
        return max(least, (self._pass_cpu_s or 0.0) / share)

    def _go_on(self, round_: _Round, now: Reading) -> Pace:
        if now.started > self._covered or now.grown_bytes > self._covered_grown_bytes:
            self._covered, self._covered_grown_bytes = now.started, now.grown_bytes
            round_.looking = False
            round_.last_start_s, round_.scans_at_last_start = now.at_s, now.ksm.full_scans
            round_.quiet_since = None
        elif round_.quiet_since is None and now.at_s - round_.last_start_s >= BURST_ENDS_S:
            round_.quiet_since = now
        if now.ksm.full_scans > round_.pass_began.ksm.full_scans:
            passes = now.ksm.full_scans - round_.pass_began.ksm.full_scans
            self._pass_cpu_s = (now.ksmd_cpu_s - round_.pass_began.ksmd_cpu_s) / passes
            round_.pass_began = now
        whole = round_.whole_passes(now.ksm)
        needed = 1 if round_.looking else 2
        if whole >= needed or self._in_vain(round_, now, whole, needed):
            return self._end(round_, now)
        return self._merging(round_, now, whole, needed)

    @staticmethod
    def _in_vain(round_: _Round, now: Reading, whole: int, needed: int) -> bool:
        """Whether the pass that should merge brings less than it costs."""
        if whole < needed - 1 or round_.scans_at_last_start == now.ksm.full_scans:
            return False
        cpu_s = now.ksmd_cpu_s - round_.pass_began.ksmd_cpu_s
        gained = round_.pass_began.taken_bytes - now.taken_bytes
        return cpu_s >= ENOUGH_TO_TELL_CPU_S and gained < now.wanted_bytes_per_cpu_s * cpu_s

    def _end(self, round_: _Round, now: Reading) -> Pace:
        cpu_s = now.ksmd_cpu_s - round_.began.ksmd_cpu_s
        since = round_.quiet_since or round_.began
        gained = since.taken_bytes - now.taken_bytes
        new = now.started - round_.covered_before
        # what ended meanwhile gave its memory back without any merging
        if new >= ENOUGH_GUESTS and now.guests >= since.guests:
            self._gain_bytes = gained / new
            self._cost_cpu_s = max(0.001, cpu_s / now.guests)
        self._round, self._ended_s = None, now.at_s
        brought = f"{gained / MIB:+,.0f} MiB for {cpu_s:.1f} s of a core"
        self._verdict = f"the last round brought {brought}"
        if self._gain_bytes <= 0:
            self._verdict += "; merging does not pay here"
        return Pace(State.RESTING, 0.0, f"Rests: {self._verdict}.")

    def _merging(self, round_: _Round, now: Reading, whole: int, needed: int) -> Pace:
        burst = now.at_s - round_.last_start_s < BURST_ENDS_S
        if burst:
            usual, why = BESIDE_LAUNCHES, "Merges slowly beside launches"
        elif round_.looking:
            usual, why = LOOKING_AGAIN, "Looks for what has become equal since"
        else:
            usual = AFTER_LAUNCHES
            why = f"Merges what new guests have in common, pass {whole + 1} of {needed}"
        if now.urgency > 0:
            why += f", faster because only {now.spare_bytes / MIB:,.0f} MiB are free"
        return Pace(State.MERGING, usual + now.urgency * (ALL - usual), f"{why}.")


# Pages a second of ksmd's time looks at: measured 100,000 to 1,000,000; the least until known.
FIRST_PAGES_PER_CPU_S = 100_000.0
# Searching costs ten times a first look: a faster rate is not trusted, or the next pass overshoots.
MOST_PAGES_PER_CPU_S = 300_000.0
LEAST_PAGES_A_TURN = 100


def turn(core_share: float, pages_per_cpu_s: float) -> tuple[int, int]:
    """Pages to scan in one turn and the sleep after it in milliseconds, for a share of a core.

    Raises ValueError for a share that is not between 0 and 1.
    """
    if not 0 < core_share < 1:
        raise ValueError(f"{core_share} is not a share of a core between 0 and 1")
    sleep_ms = 20 if core_share > 0.2 else 100
    rate = min(max(pages_per_cpu_s, 10_000.0), MOST_PAGES_PER_CPU_S)
    pages = rate * sleep_ms / 1000 * core_share / (1 - core_share)
    return max(LEAST_PAGES_A_TURN, round(pages)), sleep_ms
