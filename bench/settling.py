"""Waiting until the memory of guests has merged as far as it will."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bench.fleet import RunningFleet
from bench.sampling import MIB
from devices.host import ksm

LOOK_EVERY_S = 5.0
# less new merging than this share, and than this many MiB, in a window counts as none
CALM_SHARE = 0.005
CALM_MIB = 2.0
WINDOW_S = 20.0


def fleet_merges(running: RunningFleet) -> bool:
    """Whether the fleet says that it merges memory now."""
    hosts = running.get("summary")["hosts"]
    return any((host["merging"] or {}).get("state") == "merging" for host in hosts)


def saved_now() -> int | None:
    """Bytes merging saves now; None where the kernel does not merge."""
    merged = ksm.read()
    return None if merged is None else merged.saved_bytes


def wait(
    least_s: float,
    most_s: float,
    *,
    merging: Callable[[], bool],
    saved_bytes: Callable[[], int | None] = saved_now,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Seconds until merging has come to rest: at least `least_s`, at most `most_s`.

    It rests when `merging` (what the fleet says) is false and nothing more was saved for a while.
    Where the kernel does not merge, that is `least_s`.
    """
    waited_s = 0.0
    saved: list[float] = []
    for step_s in _steps(most_s):
        now = saved_bytes()
        saved.append((now or 0) / MIB)
        window = saved[-1 - round(WINDOW_S / LOOK_EVERY_S) :]
        calm = len(window) > WINDOW_S / LOOK_EVERY_S and abs(window[-1] - window[0]) <= max(
            CALM_MIB, CALM_SHARE * window[-1]
        )
        if waited_s >= least_s and (calm or now is None) and not merging():
            break
        sleep(step_s)
        waited_s += step_s
    return waited_s


def _steps(most_s: float) -> Iterator[float]:
    while most_s > 0:
        step_s = min(LOOK_EVERY_S, most_s)
        most_s -= step_s
        yield step_s
