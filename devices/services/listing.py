"""Questions about devices, for lists and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Prefetch

from devices.errors import NotFound
from devices.models import Device, Event, Firmware, Host, Tag
from devices.models.device import DeviceQuerySet
from devices.services import matching
from devices.services.matching import EVERY_DEVICE, Filter

NEWEST = "-id"
PAGE_SIZES = (25, 50, 100)
PAGE_SIZE = 50
# by what a list may be sorted, as columns; a name with a minus is the other way round
_COLUMNS = {
    "id": "id",
    "serial": "serial",
    "state": "state",
    "state_since": "state_since",
    "host": "host__name",
    "firmware": "firmware__version",
    "slot": "reported_slot",
    "start": "reported_start",
    "age": "-requested_at",
}
SORTS = frozenset(_COLUMNS) | frozenset(f"-{name}" for name in _COLUMNS)


def _order(sort: str) -> tuple[str, ...]:
    column = _COLUMNS[sort.removeprefix("-")]
    if sort.startswith("-"):
        column = column[1:] if column.startswith("-") else f"-{column}"
    return (column,) if column.removeprefix("-") == "id" else (column, NEWEST)


@dataclass(frozen=True, kw_only=True)
class Look:
    """A way to look at the list: which devices, in which order, how many at once."""

    wanted: Filter = EVERY_DEVICE
    sort: str = NEWEST
    size: int = PAGE_SIZE

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Look:
        """The look that an address describes; what makes no sense is as usual."""
        sort, size = given.get("sort", ""), given.get("size", "")
        sizes = {str(known): known for known in PAGE_SIZES}
        return cls(
            wanted=Filter.parse(given),
            sort=sort if sort in SORTS else NEWEST,
            size=sizes.get(size, PAGE_SIZE),
        )

    def to_query(self, page: int = 1) -> str:
        """The shortest query of an address that `parse` reads as this look, at that page."""
        pairs = self.wanted.pairs()
        if self.sort != NEWEST:
            pairs.append(("sort", self.sort))
        if self.size != PAGE_SIZE:
            pairs.append(("size", str(self.size)))
        if page > 1:
            pairs.append(("page", str(page)))
        return urlencode(pairs)


EVERYTHING = Look()


@dataclass(frozen=True, kw_only=True)
class DevicePage:
    """One page of a list; `total` counts all that match."""

    devices: list[Device]
    total: int
    page: int
    pages: int
    page_size: int


def devices(look: Look = EVERYTHING, page: int = 1) -> DevicePage:
    """A page of the devices that match; one beyond the last is the last."""
    found = matching.queryset(look.wanted)
    total = found.count()
    pages = max(1, -(-total // look.size))
    page = min(max(1, page), pages)
    first = (page - 1) * look.size
    # first which, then what: numbers alone are found and sorted in an index
    ids = found.order_by(*_order(look.sort)).values_list("id", flat=True)
    place = {id: place for place, id in enumerate(ids[first : first + look.size])}
    rows = sorted(_rows(Device.objects.filter(id__in=place)), key=lambda d: place[d.id])
    return DevicePage(devices=rows, total=total, page=page, pages=pages, page_size=look.size)


def devices_after(cursor: int, limit: int, wanted: Filter = EVERY_DEVICE) -> list[Device]:
    """Up to `limit` matching devices whose id is beyond `cursor`, oldest first."""
    found = matching.queryset(wanted).filter(id__gt=cursor).order_by("id")
    ids = list(found.values_list("id", flat=True)[:limit])
    return list(_rows(Device.objects.filter(id__in=ids).order_by("id")))


def _rows(found: DeviceQuerySet) -> DeviceQuerySet:
    """What a list shows of devices: host, firmware and tags, and not what is long."""
    tags = Prefetch("tags", Tag.objects.order_by("name"))
    return (
        found.select_related("host", "firmware").prefetch_related(tags)
        .defer("command_line", "secret")
    )


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What there is to filter by."""

    hosts: list[str]
    architectures: list[str]
    firmwares: list[str]
    tags: list[str]


def choices() -> Choices:
    """The hosts, architectures, firmware versions and tags there are."""
    made = list(Firmware.objects.values_list("architecture", "version"))
    return Choices(
        hosts=list(Host.objects.order_by("name").values_list("name", flat=True)),
        architectures=sorted({architecture for architecture, _ in made}),
        firmwares=list(dict.fromkeys(version for _, version in made)),
        tags=list(Tag.objects.order_by("name").values_list("name", flat=True).distinct()),
    )


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
