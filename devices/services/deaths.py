"""Guests that end unasked: each device says why, and many at once are told as one event.

Nothing is started again of itself; launching pauses after a mass death, so that what killed many is
not fed with more.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from devices.host.endings import SIGKILL, Ending
from devices.models import Event, Host
from devices.services import bus
from devices.states import State

NO_MEMORY = "killed by the kernel for want of memory"
KILLED = "killed by SIGKILL, which nobody here sent"
UNSEEN = "gone while nobody watched"
LOST = "gone while nobody watched, and its disk with it"
UNKNOWN = "ended for a reason the kernel did not tell"
IN_ORDER = "ended by its own qemu with status 0"
_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}

# fewer are told by their own rows alone, unless it was for want of memory
MANY = 5
# ends that are less apart are one event, but none lasts longer than that
APART_S = 10.0
LONGEST_S = 300.0
PAUSE_S = 30.0
TOLD_FOR_S = 600.0
RESTARTED = "The machine was restarted. The devices that ran are off and keep their disks."


@dataclass(frozen=True)
class Notice:
    """A mass death, or a restart of a machine, as people are told of it."""

    at: datetime
    host: str
    text: str

    def to_json(self) -> dict[str, str]:
        """Plain values; the time in ISO 8601."""
        return {"at": self.at.isoformat(), "host": self.host, "text": self.text}


def causes(endings: Mapping[str, Ending], oom_kills: int) -> dict[str, str]:
    """Why each guest ended, by serial; `oom_kills` is how many the kernel killed meanwhile.

    Its count is the whole machine's: SIGKILL is laid to want of memory when it accounts for at
    least half of the guests killed so.
    """
    killed = sum(1 for e in endings.values() if _maybe_killed(e))
    want_of_memory = 0 < killed <= 2 * oom_kills
    return {
        serial: NO_MEMORY if want_of_memory and _maybe_killed(ending) else _cause(ending)
        for serial, ending in endings.items()
    }


def _maybe_killed(ending: Ending) -> bool:
    return ending.signal == SIGKILL or ending == Ending()


def _cause(ending: Ending) -> str:
    if ending.signal == SIGKILL:
        return KILLED
    if ending.signal is not None:
        try:
            name = signal.Signals(ending.signal).name
        except ValueError:
            name = f"signal {ending.signal}"
        return f"crashed with {name}" if ending.signal in _CRASHES else f"ended by {name}"
    if ending.status is not None:
        return f"ended by its own qemu with status {ending.status}"
    return UNKNOWN


def tell(host_name: str) -> None:
    """Write the one event of the deaths that go on now, when they are many; publish it."""
    with transaction.atomic():
        host = Host.objects.select_for_update().filter(name=host_name).first()
        burst = _burst(host, timezone.now()) if host else []
        counted = Counter(cause for _, cause in burst)
        if host is None or (len(burst) < MANY and not counted[NO_MEMORY]):
            return
        began, ended = burst[0][0], burst[-1][0]
        text = sentence(counted, (ended - began).total_seconds())
        cause = counted.most_common(1)[0][0]
        told = Event.objects.filter(
            device=None, host=host, to_state=State.FAILED, cause__gt="", at=began
        )
        if not told.update(text=text, cause=cause):
            Event.objects.create(
                at=began, host=host, to_state=State.FAILED, text=text, cause=cause
            )
    bus.publish_changes()


def _burst(host: Host, now: datetime) -> list[tuple[datetime, str]]:
    """When and why guests of a host ended lately, oldest first, back to the last quiet moment."""
    since = now - timedelta(seconds=LONGEST_S)
    events = Event.objects.filter(at__gte=since, cause__gt="", device__host=host)
    burst: list[tuple[datetime, str]] = []
    for at, cause in events.order_by("-at", "-id").values_list("at", "cause"):
        later = burst[-1][0] if burst else now
        if (later - at).total_seconds() > APART_S:
            break
        burst.append((at, cause))
    # what has been told already as an event that became too long is not told twice
    told = _told(since - timedelta(seconds=LONGEST_S)).filter(host=host).first()
    if told is None:
        return burst[::-1]
    first = told.at if told.at >= since else told.at + timedelta(seconds=LONGEST_S)
    return [(at, cause) for at, cause in burst[::-1] if at >= first]


def sentence(counted: Mapping[str, int], over_s: float) -> str:
    """ "214 guests ended at once: killed by the kernel for want of memory." """
    whole = sum(counted.values())
    when = "at once" if over_s < 2.0 else f"within {over_s:.0f} s"
    subject = "1 guest ended" if whole == 1 else f"{whole:,} guests ended {when}"
    kinds = sorted(counted.items(), key=lambda item: -item[1])
    if len(kinds) == 1:
        return f"{subject}: {kinds[0][0]}."
    return f"{subject}: " + ", ".join(f"{n:,} {cause}" for cause, n in kinds) + "."


def tell_restart(host_name: str) -> None:
    """Write the one event of the guests that ended with their machine; publish it."""
    with transaction.atomic():
        host = Host.objects.select_for_update().filter(name=host_name).first()
        since = timezone.now() - timedelta(seconds=LONGEST_S)
        if host is None or _restarts(since).filter(host=host).exists():
            return
        Event.objects.create(at=timezone.now(), host=host, to_state=State.OFF, text=RESTARTED)
    bus.publish_changes()


def _restarts(since: datetime) -> QuerySet[Event]:
    return Event.objects.filter(
        at__gte=since, device=None, host__isnull=False, to_state=State.OFF, text=RESTARTED
    )


def holding(host: Host) -> str:
    """Why launching pauses after a mass death, as the end of "it …"; empty when it does not."""
    now = timezone.now()
    told = _told(now - timedelta(seconds=LONGEST_S)).filter(host=host).first()
    if told is None:
        return ""
    ends = Event.objects.filter(
        at__gte=max(told.at, now - timedelta(seconds=PAUSE_S)), cause__gt="", device__host=host
    )
    last = ends.order_by("-at").values_list("at", flat=True).first()
    if last is None:
        return ""
    left_s = PAUSE_S - (now - last).total_seconds()
    return f"waits {max(1.0, left_s):.0f} s after a mass death: {told.text.rstrip('.')}"


def notices() -> Sequence[Notice]:
    """The mass deaths and restarts of the last ten minutes, newest first."""
    since = timezone.now() - timedelta(seconds=TOLD_FOR_S)
    events = (_told(since) | _restarts(since)).select_related("host").order_by("-at", "-id")
    return [
        Notice(event.at, event.host.name if event.host else "", event.text) for event in events[:3]
    ]


def _told(since: datetime) -> QuerySet[Event]:
    return Event.objects.filter(
        at__gte=since, device=None, host__isnull=False, to_state=State.FAILED, cause__gt=""
    ).order_by("-at", "-id")
