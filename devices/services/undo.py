"""Taking back what an operation did."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet

from devices.errors import Conflict, NotFound
from devices.models import Device, Operation
from devices.services import operations
from devices.services.progress import OperationView


def leaves(operation: OperationView) -> int:
    """How many devices undoing it would remove; 0 when there is nothing to undo."""
    if operation.kind != Operation.Kind.ADD:
        return 0
    return _devices(operation.id).count()


def _devices(operation_id: int) -> QuerySet[Device]:
    return Device.objects.filter(
        targets__operation_id=operation_id, state__in=operations.REMOVABLE
    )


def undo(
    operation_id: int, actor: AbstractBaseUser | None, idempotency_key: str | None = None
) -> Operation:
    """Remove the devices an addition added, those that have not started included.

    Gives the removal. Raises NotFound, or Conflict when nothing is left to undo or it is a
    removal: what was removed has lost its disk.
    """
    operation = Operation.objects.filter(id=operation_id).first()
    if operation is None:
        raise NotFound(f"There is no operation {operation_id}.")
    if operation.kind != Operation.Kind.ADD:
        raise Conflict(
            "A removal cannot be undone: its devices stop at once and their disks are deleted. "
            "Add as many new ones instead."
        )
    serials = list(_devices(operation_id).values_list("serial", flat=True))
    if not serials:
        raise Conflict(f"Nothing of operation {operation_id} is left to undo.")
    return operations.request_remove_devices(
        serials=serials, actor=actor, idempotency_key=idempotency_key
    )
