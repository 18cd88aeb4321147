"""A device's move with all that belongs to it: event, outcome of operations, what is published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from devices import states
from devices.models import Device, Event, Operation, Target
from devices.services import bus
from devices.services.outcomes import settled
from devices.states import State

REASON_CHARACTERS = 300


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
        operations = _settle_moved(moved, new, reason, at)
        changes = [(d.slot, str(new)) for d, _ in moved if d.slot is not None]
        transaction.on_commit(lambda: bus.publish_changes(changes, operations))
    return [device for device, _ in moved]


def _settle_moved(
    moved: Sequence[tuple[Device, State]], new: State, reason: str, at: datetime
) -> set[int]:
    """Write the outcomes that follow from moves; gives the operations that were moved."""
    touched: set[int] = set()
    for was, group in groupby(sorted(moved, key=lambda m: m[1]), key=lambda m: m[1]):
        ends = {kind: settled(kind, was, new) for kind in Operation.Kind.values}
        if not any(ends.values()):
            continue
        pending = Target.objects.filter(
            device_id__in=[device.id for device, _ in group], outcome=Target.Outcome.PENDING
        )
        for kind in set(pending.order_by().values_list("operation__kind", flat=True).distinct()):
            end = ends[kind]
            if end is None:
                continue
            said = end.reason or ("" if end.outcome == Target.Outcome.DONE else reason)
            touched |= _write(pending.filter(operation__kind=kind), end.outcome, said, at)
    end_operations(touched, at)
    return touched


def _write(pending: QuerySet[Target], outcome: str, reason: str, at: datetime) -> set[int]:
    operation_ids = set(pending.order_by().values_list("operation_id", flat=True).distinct())
    if operation_ids:
        pending.update(outcome=outcome, reason=reason[:REASON_CHARACTERS], ended_at=at)
    return operation_ids


def settle(targets: QuerySet[Target], outcome: str, reason: str = "") -> set[int]:
    """Settle those of the targets that are pending, and end what has none left; publish it.

    Gives the operations they belong to.
    """
    at = timezone.now()
    with transaction.atomic(savepoint=False):
        pending = targets.filter(outcome=Target.Outcome.PENDING)
        operation_ids = _write(pending, outcome, reason, at)
        end_operations(operation_ids, at)
        if operation_ids:
            transaction.on_commit(lambda: bus.publish_changes(operations=operation_ids))
    return operation_ids


def end_operations(operation_ids: Iterable[int], at: datetime) -> None:
    """End those of the running operations that have no pending target left."""
    wanted = set(operation_ids)
    if not wanted:
        return
    running = Operation.objects.filter(id__in=wanted, state=Operation.State.RUNNING)
    # one after another, or two who settle the last targets would each wait for the other's
    list(running.order_by("id").select_for_update().values_list("id", flat=True))
    left = Target.objects.filter(operation=OuterRef("pk"), outcome=Target.Outcome.PENDING)
    for operation in running.filter(~Exists(left)).annotate(
        done=Count("targets", filter=Q(targets__outcome=Target.Outcome.DONE)),
        cancelled=Count("targets", filter=Q(targets__outcome=Target.Outcome.CANCELLED)),
        failed=Count("targets", filter=Q(targets__outcome=Target.Outcome.FAILED)),
    ):
        Operation.objects.filter(id=operation.id, state=Operation.State.RUNNING).update(
            state=_end(operation, operation.done, operation.cancelled, operation.failed),
            ended_at=at,
        )


def _end(operation: Operation, done: int, cancelled: int, failed: int) -> str:
    if failed:
        return Operation.State.PARTLY if done else Operation.State.FAILED
    if not cancelled:
        return Operation.State.SUCCEEDED
    # devices that were left out, by nobody's wish
    left_out = done and operation.kind != Operation.Kind.ADD and not operation.cancel_requested_at
    return Operation.State.PARTLY if left_out else Operation.State.CANCELLED
