"""Taking back what an operation did."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from devices.errors import Conflict, NotFound
from devices.models import Device, Operation, Target
from devices.services import acting, operations, tagging
from devices.services.asking import Asked, lock_hosts
from devices.services.progress import OperationView
from devices.services.tagging import Change
from devices.states import State

Kind = Operation.Kind
_CANNOT = {
    Kind.REMOVE: (
        "A removal cannot be undone: its devices stop at once and their disks are deleted. "
        "Add as many new ones instead."
    ),
    Kind.REBOOT: "A reboot cannot be undone: the devices have started anew.",
}
# which devices an undoing still finds as the operation left them, and what it does to them
_FINDS = {
    Kind.ADD: operations.REMOVABLE,
    Kind.SHUT_DOWN: (State.OFF,),
    Kind.POWER_OFF: (State.OFF,),
    Kind.POWER_ON: (State.ONLINE,),
    Kind.TAG: tuple(state for state in State if state is not State.GONE),
}
_OPPOSITES = {
    Kind.ADD: Kind.REMOVE,
    Kind.SHUT_DOWN: Kind.POWER_ON,
    Kind.POWER_OFF: Kind.POWER_ON,
    Kind.POWER_ON: Kind.SHUT_DOWN,
    Kind.TAG: Kind.TAG,
}


def leaves(operation: OperationView) -> int:
    """How many devices undoing an addition would remove; 0 when there is nothing to undo."""
    if operation.kind != Kind.ADD:
        return 0
    return _devices(operation.id, Kind.ADD).count()


def touches(operation: OperationView) -> int:
    """How many devices undoing it would act on; 0 when there is nothing to undo."""
    kind = Kind(operation.kind)
    return 0 if kind in _CANNOT else _devices(operation.id, kind).count()


def opposite(kind: str) -> str | None:
    """What undoing an operation of that kind does; None when it cannot be undone."""
    return _OPPOSITES.get(Kind(kind))


def _devices(operation_id: int, kind: Kind) -> QuerySet[Device]:
    targets = Target.objects.filter(operation_id=operation_id)
    if kind != Kind.ADD:
        targets = targets.filter(outcome=Target.Outcome.DONE)
    if kind == Kind.TAG:
        targets = targets.filter(tags__isnull=False)
    return Device.objects.filter(id__in=targets.values("device_id"), state__in=_FINDS[kind])


def undo(
    operation_id: int, actor: AbstractBaseUser | None, idempotency_key: str | None = None
) -> Operation:
    """Take back what an operation did to those devices that still are as it left them.

    What was added is removed, those that have not started included; what was powered off or shut
    down is powered on; what was powered on is shut down; tags that a device was given by it are
    taken from it, and those that it lost are given back. Gives the operation that does it; the same
    idempotency key gives the one it gave before. Raises NotFound, or Conflict when nothing is left
    to undo or it cannot be undone.
    """
    asked = Asked.by(actor, idempotency_key, "undo", operation=operation_id)
    with transaction.atomic():
        lock_hosts()
        if (earlier := asked.earlier()) is not None:
            return earlier
        operation = Operation.objects.filter(id=operation_id).first()
        if operation is None:
            raise NotFound(f"There is no operation {operation_id}.")
        kind = Kind(operation.kind)
        if refusal := _CANNOT.get(kind):
            raise Conflict(refusal)
        serials = list(_devices(operation_id, kind).values_list("serial", flat=True))
        if not serials:
            raise Conflict(f"Nothing of operation {operation_id} is left to undo.")
        devices = acting.chosen(serials=serials)
        changes = _changes_back(operation, devices) if kind == Kind.TAG else None
        parameters = {} if changes is None else tagging.together(changes.values())
        return acting.begin(
            asked.operation(_OPPOSITES[kind], len(devices), parameters=parameters),
            devices, changes,
        )


def _changes_back(operation: Operation, devices: Sequence[Device]) -> dict[int, Change]:
    there = {device.id for device in devices}
    made = operation.targets.filter(outcome=Target.Outcome.DONE, tags__isnull=False)
    return {
        target.device_id: Change.of(target.tags or {}).undone()
        for target in made
        if target.device_id in there
    }
