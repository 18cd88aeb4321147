"""Questions about devices, for lists and pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from devices.errors import NotFound
from devices.models import Device, Event
from devices.states import State

SORTS = frozenset({"id", "-id", "serial", "-serial", "state", "-state", "state_since",
                   "-state_since"})


@dataclass(frozen=True, kw_only=True)
class DevicePage:
    """One page of a list; `total` counts all that match."""

    devices: list[Device]
    total: int
    page: int
    pages: int
    page_size: int


def _matching(search: str, state: str) -> QuerySet[Device]:
    found = Device.objects.select_related("host", "firmware")
    shown = Q(state=state) if state in set(State) else ~Q(state=State.GONE)
    found = found.filter(shown)
    if search:
        found = found.filter(
            Q(serial__icontains=search)
            | Q(host__name__icontains=search)
            | Q(reason__icontains=search)
            | Q(reported_version__icontains=search)
        )
    return found


def devices(
    *, search: str = "", state: str = "", page: int = 1, page_size: int = 50, sort: str = "-id"
) -> DevicePage:
    """A page of the devices that match; gone devices only when `state` asks for them.

    A page beyond the last is the last; an unknown sort is the newest first.
    """
    found = _matching(search.strip(), state)
    total = found.count()
    pages = max(1, -(-total // page_size))
    page = min(max(1, page), pages)
    first = (page - 1) * page_size
    order = sort if sort in SORTS else "-id"
    return DevicePage(
        devices=list(found.order_by(order, "-id")[first : first + page_size]),
        total=total,
        page=page,
        pages=pages,
        page_size=page_size,
    )


def devices_after(
    cursor: int, limit: int, *, search: str = "", state: str = ""
) -> list[Device]:
    """Up to `limit` matching devices whose id is beyond `cursor`, oldest first."""
    return list(_matching(search.strip(), state).filter(id__gt=cursor).order_by("id")[:limit])


def by_slots(first: int, last: int) -> list[Device]:
    """The devices whose slots are from `first` to `last`, in slot order."""
    found = Device.objects.filter(slot__gte=first, slot__lte=last)
    return list(found.select_related("host").order_by("slot"))


def device(serial: str) -> Device:
    """The device of that serial, gone ones included; raises NotFound."""
    found = Device.objects.select_related("host", "firmware").filter(serial=serial).first()
    if found is None:
        raise NotFound(f"There is no device {serial[:40]}.")
    return found


def events(of: Device, limit: int = 50) -> list[Event]:
    """What happened to a device, newest first."""
    found = Event.objects.filter(device=of).select_related("actor", "operation")
    return list(found.order_by("-id")[:limit])
