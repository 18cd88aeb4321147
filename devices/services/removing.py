"""Removing devices: their guests end, their disks are deleted."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, IntegerField, When

from devices.errors import Conflict, NotFound
from devices.models import Device, Operation, Target
from devices.services import dispatch, transitions
from devices.services.asking import Asked, check_count, lock_hosts, short
from devices.states import State

# what a removal takes; `stopping` is already on its way
REMOVABLE = tuple(s for s in State if s not in (State.STOPPING, State.GONE))


def request_remove(
    *, count: int, actor: AbstractBaseUser | None, idempotency_key: str | None = None
) -> Operation:
    """Ask that `count` devices be removed: failed ones first, then the newest.

    When there are fewer, all are removed. Raises BadRequest, or Conflict when there is none.
    """
    check_count(count)
    asked = Asked.by(actor, idempotency_key, Operation.Kind.REMOVE, count=count)
    failed_first = Case(When(state=State.FAILED, then=0), default=1, output_field=IntegerField())
    with transaction.atomic():
        lock_hosts()
        if (earlier := asked.earlier()) is not None:
            return earlier
        devices = list(
            Device.objects.filter(state__in=REMOVABLE)
            .select_related("host")
            .order_by(failed_first, "-id")[:count]
        )
        operation = asked.operation(Operation.Kind.REMOVE, count)
        begin_removal(operation, devices)
    return operation


def request_remove_devices(
    *,
    serials: Sequence[str],
    actor: AbstractBaseUser | None,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask that these devices be removed; raises NotFound naming those that do not exist."""
    wanted = set(serials)
    check_count(len(wanted))
    asked = Asked.by(actor, idempotency_key, Operation.Kind.REMOVE, serials=sorted(wanted))
    with transaction.atomic():
        lock_hosts()
        if (earlier := asked.earlier()) is not None:
            return earlier
        found = Device.objects.filter(serial__in=wanted).exclude(state=State.GONE)
        devices = list(found.select_related("host"))
        unknown = sorted(wanted - {d.serial for d in devices})
        if unknown:
            raise NotFound(f"There is no device {short(', '.join(unknown))} to remove.")
        operation = asked.operation(Operation.Kind.REMOVE, len(wanted))
        begin_removal(operation, devices)
    return operation


def begin_removal(operation: Operation, devices: Sequence[Device]) -> None:
    """Write the operation, which is not saved yet, and stop what can be removed of the devices.

    Raises Conflict when nothing can. To be called in a transaction.
    """
    # as they are once nobody else can move them: what has left would be waited for in vain
    devices = list(
        Device.objects.select_for_update(of=("self",))
        .filter(id__in=[d.id for d in devices], state__in=REMOVABLE)
        .select_related("host")
        .defer("command_line")
        .order_by("id")
    )
    if not devices:
        raise Conflict("There is no device left to remove.")
    if len(devices) < operation.count:
        operation.note = f"there were only {len(devices):,}"
    operation.save()
    Target.objects.bulk_create(Target(operation=operation, device=d) for d in devices)
    # one that was on before has a disk to be deleted
    never_started = [d.id for d in devices if d.state == State.REQUESTED and not d.boot_id]
    transitions.move(
        never_started, old=State.REQUESTED, new=State.GONE, reason="removed before it started",
        actor_id=operation.actor_id, operation_id=operation.id,
    )
    transitions.move(
        [d.id for d in devices],
        old=REMOVABLE,
        new=State.STOPPING,
        reason="removed",
        actor_id=operation.actor_id,
        operation_id=operation.id,
    )
    hosts = sorted({d.host.name for d in devices})

    def begin() -> None:
        for name in hosts:
            dispatch.to_host("reap", name)

    transaction.on_commit(begin)
