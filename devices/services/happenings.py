"""What happened lately, for those who follow it: events in the order they were written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from devices.models import Event, Operation
from devices.services.progress import OperationView, view

_COLUMNS = (
    "id", "at", "device__serial", "device__host__name", "host__name", "from_state", "to_state",
    "text", "cause", "actor__username", "operation_id",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Happening:
    """An event of a device, or of a host when `serial` is None."""

    id: int
    at: datetime
    serial: str | None
    host: str | None
    from_state: str
    to_state: str
    text: str
    cause: str
    actor: str
    operation: int | None

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; times in ISO 8601."""
        return {**vars(self), "at": self.at.isoformat()}


def span() -> tuple[int, int]:
    """The ids of the oldest and the newest event that is kept; 0 and 0 when there is none."""
    ids = Event.objects.order_by("id").values_list("id", flat=True)
    return ids.first() or 0, ids.last() or 0


def after(last_id: int, limit: int, missing: Collection[int] = ()) -> list[Happening]:
    """Up to `limit` events beyond an id, oldest first, and those of `missing` that have come.

    Where several write at once (PostgreSQL), an event may be seen after one with a larger id.
    """
    wanted = Q(id__gt=last_id)
    if missing:
        wanted |= Q(id__in=missing)
    rows = Event.objects.filter(wanted).order_by("id").values_list(*_COLUMNS)[:limit]
    return [
        Happening(
            id=id, at=at, serial=serial, host=of_device or of_host, from_state=from_state,
            to_state=to_state, text=text, cause=cause, actor=actor or "", operation=operation,
        )
        for id, at, serial, of_device, of_host, from_state, to_state, text, cause, actor, operation
        in rows
    ]  # fmt: skip


def newest_operation_id() -> int:
    """The id of the newest operation; 0 when there is none."""
    return Operation.objects.order_by("-id").values_list("id", flat=True).first() or 0


def operations_beyond(last_id: int, running: Collection[int]) -> list[OperationView]:
    """The operations beyond an id and those called running, with their progress now."""
    found = Operation.objects.filter(Q(id__gt=last_id) | Q(id__in=running)).select_related("actor")
    return [view(operation) for operation in found.order_by("id")]


def running_operations() -> list[int]:
    """The ids of the operations that have not ended."""
    found = Operation.objects.filter(state=Operation.State.RUNNING)
    return list(found.order_by("id").values_list("id", flat=True))
