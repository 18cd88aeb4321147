"""What happened to a device, in pages, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from devices.models import Device, Event
from devices.states import State

PAGE = 20


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One event of a device.

    `lasted_s` is how many seconds the state it brought lasted; None for a remark and for the state
    that still lasts.
    """

    event: Event
    lasted_s: float | None


@dataclass(frozen=True, kw_only=True)
class TimelinePage:
    """Some moments, newest first; `newest` unless there are newer ones.

    `before` is the event id below which the older ones are, 0 when there are none.
    """

    moments: list[Moment]
    newest: bool
    before: int


def page(device: Device, *, before: int | None = None, limit: int = PAGE) -> TimelinePage:
    """Up to `limit` moments of a device, of those with an id below `before` when it is given."""
    events = Event.objects.filter(device=device).select_related("actor")
    wanted = events if before is None else events.filter(id__lt=before)
    found = list(wanted.order_by("-id")[: limit + 1])
    shown = found[:limit]
    next_state = None
    if before is not None:
        next_state = events.filter(id__gte=before).exclude(to_state="").order_by("id").first()
    moments = []
    for event in shown:
        lasted_s = None
        if event.to_state and next_state is not None:
            lasted_s = (next_state.at - event.at).total_seconds()
        moments.append(Moment(event=event, lasted_s=lasted_s))
        if event.to_state:
            next_state = event
    return TimelinePage(
        moments=moments, newest=before is None, before=shown[-1].id if len(found) > limit else 0
    )


def start_asked_at(device: Device) -> datetime | None:
    """When the start was asked for that brought the device online: it was added, or powered on.

    None when it is not online since a start, or so long that what was asked is no longer kept.
    """
    kept = timezone.now() - timedelta(days=settings.KEEP_EVENTS_DAYS)
    if device.online_at is None or device.online_at < kept:
        return None
    powered_on = Event.objects.filter(
        device=device, from_state=State.OFF, to_state=State.REQUESTED
    )
    return powered_on.order_by("-id").values_list("at", flat=True).first() or device.requested_at
