"""What all guests of a host have for themselves, although only some are measured at a time."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count

from devices.models import Device, Host
from devices.services import bus, costs
from devices.states import WITH_PROCESS

KIB = 1024


def guests_bytes(host_name: str) -> int:
    """Memory of a host's guests, what they share counted once; 0 while nothing is known."""
    rows = bus.guests_sample(host_name)
    if not rows:
        return sum(bus.pss(host_name).values()) * KIB
    measured = any(len(row) > 3 and row[3] is not None for row in rows)
    return estimate_kib(rows, None if measured else _usual_kib(host_name)) * KIB


def estimate_kib(rows: Sequence[Sequence[int | None]], usual_kib: float | None = None) -> int:
    """The sum of PSS over rows of slot, CPU, RSS and PSS in KiB, of which PSS may be null.

    A guest that was not measured yet is taken to have as much as the mean of those that were, or
    `usual_kib` where none was, and never more than is resident.
    """
    uses = [(row[2], row[3]) for row in rows if len(row) > 3]
    measured = [pss for _, pss in uses if pss is not None]
    mean = sum(measured) / len(measured) if measured else usual_kib
    total = float(sum(measured))
    for rss, pss in uses:
        if pss is None and rss is not None:
            total += rss if mean is None else min(rss, mean)
    return round(total)


def _usual_kib(host_name: str) -> float | None:
    """What one of the devices on a host costs in the mean, by what is known of their sorts.

    What is resident would deceive: clones have most of it in common.
    """
    host = Host.objects.filter(name=host_name).first()
    if host is None:
        return None
    rows = Device.objects.on(host_name).filter(state__in=WITH_PROCESS).order_by()
    groups = rows.values_list("start", "reported_start", "firmware__architecture")
    counted = [
        (n, costs.cost(host, reported or asked, architecture).settled_bytes)
        for asked, reported, architecture, n in groups.annotate(n=Count("id"))
    ]
    devices = sum(n for n, _ in counted)
    return sum(n * each for n, each in counted) / devices / KIB if devices else None
