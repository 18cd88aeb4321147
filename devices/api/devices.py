"""Devices: the list by cursor, and one of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import redis
from django.http import HttpRequest
from ninja import Path, Query, Router

from devices.api.cursors import Cursor, Limit, cursor_of, number_of
from devices.api.filtering import DeviceFilter
from devices.api.schemas import (
    CountOut,
    DeviceDetailOut,
    DeviceOut,
    DevicesOut,
    EventOut,
    EventsOut,
    ProblemOut,
    TagsOut,
)
from devices.models import Device, Event
from devices.services import asked, bus, listing, matching, tagging

router = Router()

LIST = "devices"
TIMELINE = "timeline"
Serial = Annotated[str, Path(max_length=64)]


@router.get("/devices", response={200: DevicesOut, 422: ProblemOut}, summary="List devices")
def some(
    request: HttpRequest,
    wanted: Annotated[DeviceFilter, Query()],
    cursor: Cursor = "",
    limit: Limit = 100,
) -> DevicesOut:
    """Devices that match, oldest first; those gone only with `state=gone`."""
    after = number_of(LIST, cursor) or 0
    found = listing.devices_after(after, limit + 1, wanted.wanted())
    more = len(found) > limit
    # rows are what the tables say: checking each again would take most of the time
    return DevicesOut.model_construct(
        devices=[DeviceOut.model_construct(**_device(device)) for device in found[:limit]],
        next=cursor_of(LIST, found[limit - 1].id) if more else None,
    )


@router.get(
    "/devices/count", response={200: CountOut, 422: ProblemOut}, summary="Count devices"
)
def count(request: HttpRequest, wanted: Annotated[DeviceFilter, Query()]) -> dict[str, int]:
    """How many devices match."""
    return {"count": matching.queryset(wanted.wanted()).count()}


@router.get("/tags", response=TagsOut, summary="All tags")
def tags(request: HttpRequest) -> dict[str, Any]:
    """The tags there are, and how many devices have each."""
    return {"tags": [{"name": name, "devices": n} for name, n in tagging.counts().items()]}


@router.get(
    "/devices/{serial}",
    response={200: DeviceDetailOut, 404: ProblemOut},
    summary="One device",
)
def one(request: HttpRequest, serial: Serial) -> dict[str, Any]:
    """One device: what it is, its state and why, its exact command line, what happened to it."""
    device = listing.device(serial)
    return {
        **_device(device),
        "firmware_sha256": device.firmware.sha256,
        "reported_start": device.reported_start,
        "pid": device.pid,
        "last_heard_at": _last_heard(device),
        "command_line": device.command_line,
        "events": [_event(event) for event in listing.events(device)],
    }


@router.get(
    "/devices/{serial}/events",
    response={200: EventsOut, 404: ProblemOut, 422: ProblemOut},
    summary="What happened to a device",
)
def timeline(
    request: HttpRequest, serial: Serial, cursor: Cursor = "", limit: Limit = 100
) -> dict[str, Any]:
    """A device's timeline, newest first, as far back as it is kept."""
    device = listing.device(serial)
    found = asked.events_before(device, number_of(TIMELINE, cursor), limit + 1)
    more = len(found) > limit
    return {
        "events": [_event(event) for event in found[:limit]],
        "next": cursor_of(TIMELINE, found[limit - 1].pk) if more else None,
    }


def _device(device: Device) -> dict[str, Any]:
    names = DeviceOut.model_fields.keys() - {"host", "firmware", "architecture", "tags"}
    return {
        **{name: getattr(device, name) for name in names},
        "host": device.host.name,
        "firmware": device.firmware.version,
        "architecture": device.firmware.architecture,
        "tags": sorted(tag.name for tag in device.tags.all()),
    }


def _last_heard(device: Device) -> datetime | None:
    try:
        at = bus.last_heard([device.serial]).get(device.serial)
    except redis.RedisError:
        return None
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _event(event: Event) -> EventOut:
    return EventOut(
        at=event.at,
        from_state=event.from_state,
        to_state=event.to_state,
        text=event.text,
        actor=event.actor.get_username() if event.actor else "",
        operation=event.operation_id,
    )
