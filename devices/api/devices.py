"""Devices: the list by cursor, and one of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import redis
from django.http import HttpRequest
from ninja import Path, Query, Router

from devices.api.schemas import DeviceDetailOut, DeviceOut, DevicesOut, EventOut, ProblemOut
from devices.models import Device, Event
from devices.services import bus, listing
from devices.services.matching import Filter
from devices.states import State

router = Router()

Serial = Annotated[str, Path(max_length=64)]


@router.get("/devices", response=DevicesOut, summary="List devices")
def some(
    request: HttpRequest,
    search: Annotated[str, Query(max_length=100)] = "",
    state: State | None = None,
    cursor: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Devices that match, oldest first; those gone only with `state=gone`."""
    wanted = Filter(search=search, states=(state,) if state else ())
    found = listing.devices_after(cursor, limit + 1, wanted)
    more = len(found) > limit
    return {
        "devices": [_device(device) for device in found[:limit]],
        "next": found[limit - 1].id if more else None,
    }


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


def _device(device: Device) -> dict[str, Any]:
    names = DeviceOut.model_fields.keys() - {"host", "firmware"}
    values = {name: getattr(device, name) for name in names}
    return {**values, "host": device.host.name, "firmware": device.firmware.version}


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
