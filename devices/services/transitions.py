"""A device's move with all that belongs to it: event, outcome of operations, what is published."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from devices import states
from devices.models import Device, Event, Operation, Target
from devices.services import bus
from devices.states import State

# what a device's new state means for the unfinished operations it belongs to
OUTCOMES: dict[tuple[str, State], str] = {
    (Operation.Kind.ADD, State.ONLINE): Target.Outcome.DONE,
    (Operation.Kind.ADD, State.FAILED): Target.Outcome.FAILED,
    (Operation.Kind.ADD, State.STOPPING): Target.Outcome.CANCELLED,
    (Operation.Kind.ADD, State.GONE): Target.Outcome.CANCELLED,
    (Operation.Kind.REMOVE, State.GONE): Target.Outcome.DONE,
}


def move(
    ids: Iterable[int],
    *,
    old: State | Iterable[State],
    new: State,
    reason: str = "",
    cause: str = "",
    actor_id: int | None = None,
    operation_id: int | None = None,
    at: datetime | None = None,
    **columns: Any,
) -> list[Device]:
    """Move devices, write their events, settle operations; publish once it is committed.

    `cause` is why a guest ended of its own accord, kept with the event. Gives the devices that were
    moved, as they were before. See `devices.states.move`.
    """
    at = at or timezone.now()
    with transaction.atomic(savepoint=False):
        moved = states.move(ids, old=old, new=new, at=at, reason=reason, **columns)
        if not moved:
            return []
        Event.objects.bulk_create(
            Event(
                at=at, device=device, from_state=was, to_state=new, text=reason[:500],
                cause=cause[:80], actor_id=actor_id, operation_id=operation_id,
            )
            for device, was in moved
        )
        operations = _settle([device.id for device, _ in moved], new, at)
        changes = [(d.slot, str(new)) for d, _ in moved if d.slot is not None]
        transaction.on_commit(lambda: bus.publish_changes(changes, operations))
    return [device for device, _ in moved]


def _settle(device_ids: list[int], new: State, at: datetime) -> set[int]:
    """Write the outcome for pending targets; gives the operations that moved."""
    moved: set[int] = set()
    for (kind, state), outcome in OUTCOMES.items():
        if state is not new:
            continue
        pending = Target.objects.filter(
            device_id__in=device_ids, outcome=Target.Outcome.PENDING, operation__kind=kind
        )
        operation_ids = set(pending.values_list("operation_id", flat=True))
        if operation_ids:
            pending.update(outcome=outcome, ended_at=at)
            moved |= operation_ids
    if moved:
        end_operations(moved, at)
    return moved


def end_operations(operation_ids: Iterable[int], at: datetime) -> None:
    """End those of the running operations that have no pending target left."""
    running = Operation.objects.filter(id__in=operation_ids, state=Operation.State.RUNNING)
    # one after another, or two who settle the last targets would each wait for the other's
    list(running.order_by("id").select_for_update().values_list("id", flat=True))
    left = Target.objects.filter(operation=OuterRef("pk"), outcome=Target.Outcome.PENDING)
    for operation in running.filter(~Exists(left)).annotate(
        done=Count("targets", filter=Q(targets__outcome=Target.Outcome.DONE)),
        cancelled=Count("targets", filter=Q(targets__outcome=Target.Outcome.CANCELLED)),
        failed=Count("targets", filter=Q(targets__outcome=Target.Outcome.FAILED)),
    ):
        if operation.failed:
            state = Operation.State.PARTLY if operation.done else Operation.State.FAILED
        elif operation.cancelled:
            state = Operation.State.CANCELLED
        else:
            state = Operation.State.SUCCEEDED
        Operation.objects.filter(id=operation.id, state=Operation.State.RUNNING).update(
            state=state, ended_at=at
        )
