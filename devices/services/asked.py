"""What was asked, and what became of it, in portions that follow each other."""

from __future__ import annotations

from collections.abc import Collection

from devices.errors import NotFound
from devices.models import Device, Event, Operation, Target
from devices.services.progress import OperationView, view


def operations_before(
    operation_id: int | None,
    limit: int,
    *,
    kinds: Collection[str] = (),
    states: Collection[str] = (),
    actor: str = "",
) -> list[OperationView]:
    """Up to `limit` operations older than that one, newest first; the newest for None."""
    found = Operation.objects.select_related("actor").order_by("-id")
    if operation_id is not None:
        found = found.filter(id__lt=operation_id)
    if kinds:
        found = found.filter(kind__in=kinds)
    if states:
        found = found.filter(state__in=states)
    if actor:
        found = found.filter(actor__username=actor)
    return [view(operation) for operation in found[:limit]]


def targets_after(
    operation_id: int, target_id: int, limit: int, *, outcome: str = ""
) -> list[Target]:
    """Up to `limit` devices of an operation with what became of them; raises NotFound."""
    if not Operation.objects.filter(id=operation_id).exists():
        raise NotFound(f"There is no operation {operation_id}.")
    found = Target.objects.filter(operation_id=operation_id, id__gt=target_id).order_by("id")
    if outcome:
        found = found.filter(outcome=outcome)
    return list(found.select_related("device").only("outcome", "reason", "ended_at",
                                                    "device__serial")[:limit])


def events_before(device: Device, event_id: int | None, limit: int) -> list[Event]:
    """Up to `limit` events of a device older than that one, newest first; the newest for None."""
    found = Event.objects.filter(device=device).select_related("actor").order_by("-id")
    if event_id is not None:
        found = found.filter(id__lt=event_id)
    return list(found[:limit])
