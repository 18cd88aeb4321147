"""Operations: asking for more devices, and looking at what was asked.

What is asked of devices that are there is in `acting` and `removing`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from devices.errors import BadRequest, DoesNotFit, NotFound, Unavailable
from devices.models import Device, Event, Host, Operation, Target
from devices.services import architectures, bus, capacity, dispatch, place
from devices.services.asking import MOST, Asked, check_count, lock_hosts, short
from devices.services.cancelling import cancel
from devices.services.progress import OperationView, view
from devices.services.removing import REMOVABLE, request_remove, request_remove_devices
from devices.states import State

__all__ = [
    "MOST", "REMOVABLE", "add", "cancel", "check_count", "get", "recent", "request_add",
    "request_remove", "request_remove_devices", "running",
]

MIB = 1 << 20
SERIAL_PREFIX = "fd-"


def request_add(
    *,
    count: int,
    actor: AbstractBaseUser | None,
    start: str = Device.Start.WARM,
    architecture: str = architectures.DEFAULT,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for `count` more devices; they exist as rows when this returns and start after.

    Raises BadRequest, DoesNotFit (nothing is begun), or Unavailable when there is no firmware of
    that architecture or no host that can run it. The same idempotency key gives the operation it
    gave before.
    """
    check_count(count)
    if start not in set(Device.Start):
        raise BadRequest(f"A device starts warm or cold, not {short(start)!r}.")
    architectures.check(architecture)
    asked = Asked.by(
        actor, idempotency_key, Operation.Kind.ADD,
        count=count, start=start, architecture=architecture,
    )
    with transaction.atomic():
        hosts = lock_hosts()
        if (earlier := asked.earlier()) is not None:
            return earlier
        return add(asked, count, start, architecture, hosts)


def add(
    asked: Asked,
    count: int,
    start: str,
    architecture: str,
    hosts: Sequence[Host],
    retry_of: int | None = None,
) -> Operation:
    """Add so many devices; raises what `request_add` does.

    To be called in the transaction in which the hosts were locked, with what makes sense.
    """
    firmware = architectures.newest_firmware(architecture)
    if not hosts:
        raise Unavailable("There is no host yet: run bin/up on the machine that is to run devices.")
    if firmware is None:
        raise Unavailable(_no_firmware(architecture))
    if not any(architectures.runs(host, architecture) for host in hosts):
        raise Unavailable(
            f"No host can run {architecture} devices: no such guest has booted on "
            f"{', '.join(host.name for host in hosts)}. The host's own page, such as "
            f"/hosts/{hosts[0].name}/, says why."
        )
    fleet = capacity.fleet_capacity(start, architecture)
    if count > fleet.fits:
        raise DoesNotFit(_refusal(count, fleet), fits=fleet.fits)
    operation = asked.operation(
        Operation.Kind.ADD, count,
        parameters={"start": start, "architecture": architecture}, retry_of_id=retry_of,
    )
    operation.save()
    now = operation.created_at
    placed = place.place(count, {host.name: host.fits for host in fleet.hosts})
    by_name = {host.name: host for host in hosts}
    number = _next_number()
    slots = _free_slots(count)
    devices = Device.objects.bulk_create(
        Device(
            serial=f"{SERIAL_PREFIX}{number + index:06d}",
            slot=slots[index],
            host=by_name[name],
            firmware=firmware,
            start=start,
            state=State.REQUESTED,
            state_since=now,
            secret=secrets.token_urlsafe(32),
            requested_at=now,
        )
        for index, name in enumerate(placed)
    )
    Target.objects.bulk_create(Target(operation=operation, device=d) for d in devices)
    Event.objects.bulk_create(
        Event(
            at=now, device=d, operation=operation, actor_id=operation.actor_id,
            to_state=State.REQUESTED,
        )
        for d in devices
    )
    changes = [(d.slot or 0, str(State.REQUESTED)) for d in devices]
    used = sorted(set(placed))

    def begin() -> None:
        bus.publish_changes(changes, [operation.id])
        for name in used:
            dispatch.to_host("launch", name)

    transaction.on_commit(begin)
    return operation


def _no_firmware(architecture: str) -> str:
    if architecture == architectures.DEFAULT:
        return "There is no firmware yet: bin/up builds it."
    return (
        f"There is no firmware for {architecture} devices. A new start on the machine, with its "
        "other settings given again, makes it: bin/down --keep-guests && "
        f"FLEETDASH_ARCHITECTURES={','.join(architectures.ALL)} bin/up --detach"
    )


def _refusal(count: int, fleet: capacity.Capacity) -> str:
    asked = "1 more device does" if count == 1 else f"{count:,} more devices do"
    silent = bool(fleet.hosts) and not any(host.free_bytes for host in fleet.hosts)
    why = fleet.waiting if silent else fleet.limit or (
        f"a device takes {fleet.device_cost_bytes / MIB:,.1f} MiB, {fleet.cost_source}; "
        f"{fleet.free_bytes / MIB:,.0f} MiB are free, of which "
        f"{fleet.reserve_bytes / MIB:,.0f} MiB are kept in reserve"
    )
    return f"{asked} not fit: {fleet.fits:,} more fit now ({why}). Ask for fewer or remove some."


def _next_number() -> int:
    """One more than the newest serial's number; the newest row is never tidied away."""
    newest = Device.objects.order_by("-id").values_list("serial", flat=True).first()
    return int(newest.removeprefix(SERIAL_PREFIX)) + 1 if newest else 1


def _free_slots(count: int) -> list[int]:
    used = set(Device.objects.filter(slot__isnull=False).values_list("slot", flat=True))
    slots: list[int] = []
    candidate = 0
    while len(slots) < count:
        if candidate not in used:
            slots.append(candidate)
        candidate += 1
    return slots


def get(operation_id: int) -> OperationView:
    """One operation with its progress; raises NotFound."""
    operation = Operation.objects.select_related("actor").filter(id=operation_id).first()
    if operation is None:
        raise NotFound(f"There is no operation {operation_id}.")
    return view(operation)


def recent(limit: int = 20) -> list[OperationView]:
    """The newest operations, newest first; a query or two for each."""
    return [view(o) for o in Operation.objects.select_related("actor").order_by("-id")[:limit]]


def running() -> list[OperationView]:
    """The operations that have not ended, newest first."""
    found = Operation.objects.filter(state=Operation.State.RUNNING).select_related("actor")
    return [view(o) for o in found.order_by("-id")]
