"""Stopping an operation midway: what has not begun is left as it is."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from devices.errors import Conflict, NotFound
from devices.models import Operation, Target
from devices.services import bus, once, transitions
from devices.states import State

Kind = Operation.Kind
# why the others cannot be
_TOO_LATE = {
    Kind.REMOVE: "A removal cannot be cancelled: its devices are already stopping.",
    Kind.POWER_OFF: "A power-off cannot be cancelled: its guests are already being ended.",
    Kind.TAG: "A tagging cannot be cancelled: it is done at once. Undo it instead.",
}
CANCELLABLE = frozenset(set(Kind) - set(_TOO_LATE))


def cancel(
    operation_id: int, actor: AbstractBaseUser | None, idempotency_key: str | None = None
) -> Operation:
    """Begin nothing more of an operation; what has begun goes on to its end.

    Of an addition, devices that have not started are gone; of a power-on they are off again; of a
    reboot or shut-down, those that were not told yet run on. Raises NotFound, or Conflict when it
    has ended or cannot be cancelled; with the same key as before it gives what it gave then.
    """
    with transaction.atomic():
        operation = Operation.objects.select_for_update().filter(id=operation_id).first()
        if operation is None:
            raise NotFound(f"There is no operation {operation_id}.")
        if not once.is_first(actor, idempotency_key, f"cancelling operation {operation_id}"):
            return operation
        if operation.state != Operation.State.RUNNING:
            raise Conflict(f"Operation {operation_id} has ended already ({operation.state}).")
        if refusal := _TOO_LATE.get(Kind(operation.kind)):
            raise Conflict(refusal)
        operation.cancel_requested_at = timezone.now()
        operation.save(update_fields=["cancel_requested_at"])
        pending = Target.objects.filter(operation=operation, outcome=Target.Outcome.PENDING)
        if operation.kind in (Kind.ADD, Kind.POWER_ON):
            _drop_requested(operation, pending, actor)
        else:
            begun = State.REBOOTING if operation.kind == Kind.REBOOT else State.POWERING_OFF
            transitions.settle(
                pending.exclude(device__state=begun), Target.Outcome.CANCELLED,
                "cancelled before it was told",
            )
        transaction.on_commit(lambda: bus.publish_changes(operations=[operation_id]))
    operation.refresh_from_db()
    return operation


def _drop_requested(
    operation: Operation, pending: QuerySet[Target], actor: AbstractBaseUser | None
) -> None:
    waiting = pending.filter(device__state=State.REQUESTED).values_list("device_id", flat=True)
    transitions.move(
        list(waiting), old=State.REQUESTED,
        new=State.GONE if operation.kind == Kind.ADD else State.OFF, reason="cancelled",
        actor_id=actor.pk if actor else None, operation_id=operation.id,
    )
