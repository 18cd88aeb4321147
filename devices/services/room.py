"""How many more guests may be starting on this host now, and what holds launching back.

The host's feel sets the width; those that are starting already fill it, but for guests that are
long overdue: a clone that never reports must not keep a place until its deadline.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from devices.host import cgroup, memory
from devices.host.feel import Feel, Width, launch_width
from devices.models import Device, Host
from devices.services import architectures, bus, costs, deaths
from devices.services.progress import percentile
from devices.states import State

log = logging.getLogger(__name__)

# what devices take from their start to their first report, until some were seen
USUAL_S: dict[str, float] = {Device.Start.COLD: 30.0, Device.Start.WARM: 3.0}
USUAL_OF = 50
USUAL_KEPT_S = 5.0
# three times what 95 of 100 take, and never judged within five seconds
OVERDUE_TIMES = 3.0
OVERDUE_LEAST_S = 5.0
LATELY_S = 60.0
# of those that reported lately, so many may have been lost beside them
LOST_OF_REPORTED = 0.25
# a reboot goes through the boot-loader, as a cold start does
REBOOTS_PER_CORE = 2.0
# what keeps a core busy until it reports
BUSY = (State.SPAWNING, State.BOOTING, State.REBOOTING)

_GIB = 1 << 30
_said: dict[str, str] = {}
_usual: dict[tuple[str, str, str], tuple[float, float]] = {}


def nothing_waits(host: Host) -> None:
    """Nothing is held back where nothing waits to start."""
    if _said.pop(host.name, ""):
        bus.keep_held(host.name, "")


def room(
    host: Host, kind: str, per_core: float, least: int = 1, *,
    architecture: str = architectures.DEFAULT,
) -> int:
    """How many more guests of a kind may be started now; says why when launching is held back."""
    cost = costs.cost(host, kind, architecture)
    held, guests = _room(host, per_core, least, cost.young_bytes)
    _said[host.name] = held
    bus.keep_held(host.name, held)
    if held and guests == 0:
        log.info("launching %s", held)
    return guests


def reboots(host: Host, was: str, architecture: str) -> tuple[str, int]:
    """Why devices of an architecture wait to be rebooted, and how many more of them may be now.

    One that `was` a clone until now takes what a cold device takes while its memory has not merged;
    one that was not writes anew what has merged.
    """
    cold = costs.cost(host, Device.Start.COLD, architecture)
    grows = cold.young_bytes
    if was == Device.Start.COLD:
        grows = max(costs.FLOOR_BYTES, cold.young_bytes - cold.settled_bytes)
    held, places = _room(host, REBOOTS_PER_CORE, 1, grows)
    most = max(1, round(host.cores * REBOOTS_PER_CORE))
    return held or f"reboots {most} at a time, as many as its cores can bear", places


def _room(host: Host, per_core: float, least: int, cost_bytes: int) -> tuple[str, int]:
    after_deaths = deaths.holding(host)
    if after_deaths:
        return after_deaths, 0
    sample = bus.host_sample(host.name)
    if sample is None:
        return f"waits for the poller of {host.name}, which has said nothing for 30 s", 0
    feel = feel_of(sample, host)
    if host.name == settings.HOST_NAME:
        feel = _up_to_date(feel)
    # the young ones that are there have not taken all they will: that is not free any more
    taken = costs.settling(host).yet_to_take
    feel = replace(feel, free_memory_bytes=feel.free_memory_bytes + taken)
    starting = _starting(host, most=max(1, round(host.cores * per_core)))
    width = launch_width(
        feel,
        starting=starting,
        device_cost_bytes=cost_bytes,
        per_core=per_core,
        least=least,
    )
    most = width.guests
    if settings.LAUNCH_WIDTH:
        by_memory = width.held_by == "memory"
        most = min(settings.LAUNCH_WIDTH, most) if by_memory else settings.LAUNCH_WIDTH
    return held_sentence(width, feel, merging=is_merging(sample)), max(0, most - starting)


def feel_of(sample: dict[str, Any], host: Host) -> Feel:
    """A host's feel from its published sample."""
    return Feel.from_sample(
        sample, cores=host.cores, reserve_bytes=settings.MEMORY_RESERVE_MIB << 20
    )


def is_merging(sample: dict[str, Any]) -> bool:
    """Whether the kernel is merging guests' memory, so that waiting brings some back."""
    return bool(sample["ksm"]) and sample["ksm"]["run"] == 1


def _up_to_date(feel: Feel) -> Feel:
    """A sample is up to a second old: time for many clones to take memory it does not know of."""
    now = memory.read(limit=cgroup.memory_limit()).available_bytes
    return replace(feel, free_memory_bytes=min(feel.free_memory_bytes, now))


def held_sentence(width: Width, feel: Feel, *, merging: bool) -> str:
    """What holds launching back, as the end of "it …"; empty when nothing does."""
    if width.held_by == "memory":
        what = "waits for memory to merge" if merging else "waits for memory"
        if width.guests:
            what = f"is slowed to {width.guests} at once as memory runs short"
        free, reserve = feel.free_memory_bytes / _GIB, feel.reserve_bytes / _GIB
        return f"{what}: {free:.1f} GiB free, reserve {reserve:.1f} GiB"
    if width.held_by == "queue":
        return f"is slowed to {width.guests} at once: other tasks queue for the cores"
    if width.held_by == "stall":
        return f"is slowed to {width.guests} at once: tasks wait for memory"
    return ""


def _starting(host: Host, most: int) -> int:
    now = timezone.now()
    rows = Device.objects.filter(host=host, state__in=BUSY).values_list(
        "state", "start", "firmware__architecture", "state_since"
    )
    late = [
        (now - since).total_seconds() > _late_after_s(host, state, start, architecture)
        for state, start, architecture, since in rows
    ]
    if not any(late):
        return len(late)
    lately = Device.objects.filter(
        host=host, online_at__gte=now - timedelta(seconds=LATELY_S)
    ).count()
    return counted(len(late), sum(late), lately=lately, most=most)


def _late_after_s(host: Host, state: str, start: str, architecture: str) -> float:
    """After how many seconds in its state one that starts or reboots is overdue."""
    kind = Device.Start.COLD if state == State.REBOOTING else start
    return max(OVERDUE_LEAST_S, OVERDUE_TIMES * _usual_s(host, kind, architecture))


def counted(starting: int, overdue: int, *, lately: int, most: int) -> int:
    """How many of those starting fill a place.

    The `overdue` among them do not, up to a bound: as many as may start at once (`most`), and a
    quarter of those that reported `lately`. Beyond it they do, for where none reports any more,
    starting others helps nobody.
    """
    return starting - min(overdue, most + int(lately * LOST_OF_REPORTED))


def _usual_s(host: Host, kind: str, architecture: str) -> float:
    """What 95 of 100 devices lately took to their first report; looked up now and then."""
    now = time.monotonic()
    known = _usual.get((host.name, kind, architecture))
    if known is not None and now - known[0] < USUAL_KEPT_S:
        return known[1]
    rows = Device.objects.filter(
        host=host, start=kind, firmware__architecture=architecture,
        spawned_at__isnull=False, online_at__isnull=False,
    ).order_by("-online_at")
    took = sorted(_between(*row) for row in rows.values_list("spawned_at", "online_at")[:USUAL_OF])
    usual = percentile(took, 0.95)
    found = USUAL_S[kind] if usual is None else usual
    _usual[host.name, kind, architecture] = now, found
    return found


def _between(begun: datetime | None, ended: datetime | None) -> float:
    return (ended - begun).total_seconds() if begun and ended else 0.0
