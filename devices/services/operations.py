"""What a person asks of many devices: adding, removing, cancelling."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, IntegerField, When
from django.utils import timezone

from devices.errors import BadRequest, Conflict, DoesNotFit, NotFound, Unavailable
from devices.models import Device, Event, Firmware, Host, Operation, Target
from devices.services import bus, capacity, dispatch, place, transitions
from devices.services.progress import OperationView, view
from devices.states import State

MIB = 1 << 20
MOST = 10_000
# what a removal takes; `stopping` is already on its way
REMOVABLE = tuple(s for s in State if s not in (State.STOPPING, State.GONE))
SERIAL_PREFIX = "fd-"


def check_count(count: object) -> int:
    """The count, if it is a whole number from 1 to 10,000; raises BadRequest otherwise."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise BadRequest(f"{_short(count)} is not a whole number from 1 to {MOST:,}.")
    return count


def _short(value: object) -> str:
    try:
        text = str(value)
    except ValueError:  # a number too long for Python to print
        return "That"
    return text if len(text) <= 40 else text[:40] + "…"


def request_add(
    *,
    count: int,
    actor: AbstractBaseUser | None,
    start: str = Device.Start.WARM,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for `count` more devices; they exist as rows when this returns and start after.

    Raises BadRequest, DoesNotFit (nothing is begun), or Unavailable when there is no host or no
    firmware. The same idempotency key gives the operation it gave before.
    """
    check_count(count)
    if start not in set(Device.Start):
        raise BadRequest(f"A device starts warm or cold, not {_short(start)!r}.")
    with transaction.atomic():
        # one admission at a time: what is free is counted before the next one asks
        hosts = list(Host.objects.select_for_update().order_by("id"))
        repeated = _repeated(idempotency_key, Operation.Kind.ADD, count)
        if repeated is not None:
            return repeated
        operation = _add(count, actor, start, idempotency_key, hosts)
    return operation


def _add(
    count: int,
    actor: AbstractBaseUser | None,
    start: str,
    idempotency_key: str | None,
    hosts: Sequence[Host],
) -> Operation:
    firmware = Firmware.objects.filter(architecture="arm64").first()
    if not hosts:
        raise Unavailable("There is no host yet: run bin/up on the machine that is to run devices.")
    if firmware is None:
        raise Unavailable("There is no firmware yet: bin/up builds it.")
    now = timezone.now()
    fleet = capacity.fleet_capacity(start)
    if count > fleet.fits:
        raise DoesNotFit(_refusal(count, fleet), fits=fleet.fits)
    operation = Operation.objects.create(
        kind=Operation.Kind.ADD,
        count=count,
        actor_id=actor.pk if actor else None,
        idempotency_key=idempotency_key,
        created_at=now,
    )
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


def _refusal(count: int, fleet: capacity.Capacity) -> str:
    asked = "1 more device does" if count == 1 else f"{count:,} more devices do"
    silent = bool(fleet.hosts) and not any(host.free_bytes for host in fleet.hosts)
    why = fleet.waiting if silent else fleet.limit or (
        f"a device takes {fleet.device_cost_bytes / MIB:,.1f} MiB, {fleet.cost_source}; "
        f"{fleet.free_bytes / MIB:,.0f} MiB are free, of which "
        f"{fleet.reserve_bytes / MIB:,.0f} MiB are kept in reserve"
    )
    return f"{asked} not fit: {fleet.fits:,} more fit now ({why}). Ask for fewer or remove some."


def _repeated(key: str | None, kind: str, count: int) -> Operation | None:
    if key is None:
        return None
    if not 1 <= len(key) <= 64:
        raise BadRequest("An idempotency key has 1 to 64 characters.")
    earlier = Operation.objects.filter(idempotency_key=key).first()
    if earlier is not None and (earlier.kind != kind or earlier.count != count):
        raise Conflict(f"This idempotency key was used for “{earlier}”; use a new one.")
    return earlier


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


def request_remove(
    *, count: int, actor: AbstractBaseUser | None, idempotency_key: str | None = None
) -> Operation:
    """Ask that `count` devices be removed: failed ones first, then the newest.

    When there are fewer, all are removed. Raises BadRequest, or Conflict when there is none.
    """
    check_count(count)
    failed_first = Case(When(state=State.FAILED, then=0), default=1, output_field=IntegerField())
    with transaction.atomic():
        list(Host.objects.select_for_update().order_by("id"))
        earlier = _repeated(idempotency_key, Operation.Kind.REMOVE, count)
        if earlier is not None:
            return earlier
        devices = list(
            Device.objects.filter(state__in=REMOVABLE)
            .select_related("host")
            .order_by(failed_first, "-id")[:count]
        )
        return _remove(devices, count, actor, idempotency_key)


def request_remove_devices(
    *,
    serials: Sequence[str],
    actor: AbstractBaseUser | None,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask that these devices be removed; raises NotFound naming those that do not exist."""
    wanted = set(serials)
    check_count(len(wanted))
    with transaction.atomic():
        list(Host.objects.select_for_update().order_by("id"))
        earlier = _repeated(idempotency_key, Operation.Kind.REMOVE, len(wanted))
        if earlier is not None:
            return earlier
        found = Device.objects.filter(serial__in=wanted).exclude(state=State.GONE)
        devices = list(found.select_related("host"))
        unknown = sorted(wanted - {d.serial for d in devices})
        if unknown:
            raise NotFound(f"There is no device {_short(', '.join(unknown))} to remove.")
        removable = [d for d in devices if d.state != State.STOPPING]
        return _remove(removable, len(wanted), actor, idempotency_key)


def _remove(
    devices: Sequence[Device],
    count: int,
    actor: AbstractBaseUser | None,
    idempotency_key: str | None,
) -> Operation:
    # as they are once nobody else can move them: what has left would be waited for in vain
    devices = list(
        Device.objects.select_for_update(of=("self",))
        .filter(id__in=[d.id for d in devices], state__in=REMOVABLE)
        .select_related("host")
        .order_by("id")
    )
    if not devices:
        raise Conflict("There is no device left to remove.")
    actor_id = actor.pk if actor else None
    operation = Operation.objects.create(
        kind=Operation.Kind.REMOVE,
        count=count,
        note="" if len(devices) == count else f"there were only {len(devices)}",
        actor_id=actor_id,
        idempotency_key=idempotency_key,
        created_at=timezone.now(),
    )
    Target.objects.bulk_create(Target(operation=operation, device=d) for d in devices)
    ids = [d.id for d in devices]
    never_started = [d.id for d in devices if d.state == State.REQUESTED]
    transitions.move(
        never_started, old=State.REQUESTED, new=State.GONE, reason="removed before it started",
        actor_id=actor_id, operation_id=operation.id,
    )
    transitions.move(
        ids,
        old=[s for s in REMOVABLE if s is not State.REQUESTED],
        new=State.STOPPING,
        reason="removed",
        actor_id=actor_id,
        operation_id=operation.id,
    )
    hosts = sorted({d.host.name for d in devices})

    def begin() -> None:
        for name in hosts:
            dispatch.to_host("reap", name)

    transaction.on_commit(begin)
    return operation


def cancel(operation_id: int, actor: AbstractBaseUser | None) -> Operation:
    """Stop starting what an addition has not started yet; what is starting or online stays.

    Raises NotFound, or Conflict when it has ended or is a removal (which cannot be undone midway).
    """
    with transaction.atomic():
        operation = Operation.objects.select_for_update().filter(id=operation_id).first()
        if operation is None:
            raise NotFound(f"There is no operation {operation_id}.")
        if operation.state != Operation.State.RUNNING:
            raise Conflict(f"Operation {operation_id} has ended already ({operation.state}).")
        if operation.kind != Operation.Kind.ADD:
            raise Conflict("A removal cannot be cancelled: its devices are already stopping.")
        now = timezone.now()
        operation.cancel_requested_at = now
        operation.save(update_fields=["cancel_requested_at"])
        waiting = Target.objects.filter(
            operation=operation, outcome=Target.Outcome.PENDING, device__state=State.REQUESTED
        ).values_list("device_id", flat=True)
        transitions.move(
            list(waiting), old=State.REQUESTED, new=State.GONE, reason="cancelled",
            actor_id=actor.pk if actor else None, operation_id=operation.id,
        )
        transaction.on_commit(lambda: bus.publish_changes(operations=[operation_id]))
    operation.refresh_from_db()
    return operation


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
