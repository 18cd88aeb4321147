"""How far an operation has come, with rate, time left and percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Count
from django.utils import timezone

from devices.models import Device, Host, Operation, Target
from devices.services import bus
from devices.states import State

# the time left follows what happened lately, not what happened at the start
WINDOW_S = 30.0


@dataclass(frozen=True, kw_only=True)
class OperationView:
    """An operation as people see it; times in seconds, rates in devices a second.

    `held` is what keeps it from starting more, as the end of "it …"; empty when nothing does.
    """

    id: int
    kind: str
    state: str
    count: int
    done: int
    failed: int
    cancelled: int
    pending: int
    actor: str
    note: str
    created_at: datetime
    ended_at: datetime | None
    seconds: float
    rate_per_s: float
    eta_s: float | None
    p50_s: float | None
    p95_s: float | None
    cancel_requested: bool
    held: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; times in ISO 8601."""
        values = asdict(self)
        values["created_at"] = self.created_at.isoformat()
        values["ended_at"] = self.ended_at.isoformat() if self.ended_at else None
        return values


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile (`share` 0–1) of ascending values, None when there are none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rate_and_eta(
    done_after_s: Sequence[float], now_s: float, pending: int
) -> tuple[float, float | None]:
    """Devices a second over the whole, and seconds left judged by the last 30 s.

    `done_after_s`: when each device was done, in seconds after the start, ascending. The time
    left is None while nothing was done in that window.
    """
    if not done_after_s:
        return 0.0, 0.0 if pending == 0 else None
    rate = len(done_after_s) / max(done_after_s[-1], 0.001)
    if pending == 0:
        return rate, 0.0
    window_s = min(WINDOW_S, max(now_s, 0.001))
    lately = sum(1 for at in done_after_s if at >= now_s - window_s)
    return rate, pending * window_s / lately if lately else None


def view(operation: Operation) -> OperationView:
    """The operation with its progress; costs two queries, and none for one that has ended."""
    if operation.ended_at is None:
        return _view(operation)
    return _view_of_ended(operation, operation.ended_at)


@lru_cache(maxsize=64)
def _view_of_ended(operation: Operation, ended_at: datetime) -> OperationView:
    return _view(operation)


def _view(operation: Operation) -> OperationView:
    targets = Target.objects.filter(operation=operation)
    counts = {
        row["outcome"]: row["n"]
        for row in targets.order_by().values("outcome").annotate(n=Count("id"))
    }
    done_at = targets.filter(outcome=Target.Outcome.DONE, ended_at__isnull=False)
    done_after_s = sorted(
        (at - operation.created_at).total_seconds()
        for at in done_at.values_list("ended_at", flat=True)
        if at is not None
    )
    end = operation.ended_at or timezone.now()
    seconds = max(0.0, (end - operation.created_at).total_seconds())
    pending = counts.get(Target.Outcome.PENDING, 0)
    rate_per_s, eta_s = rate_and_eta(done_after_s, seconds, pending)
    return OperationView(
        id=operation.id,
        kind=operation.kind,
        state=operation.state,
        count=operation.count,
        done=counts.get(Target.Outcome.DONE, 0),
        failed=counts.get(Target.Outcome.FAILED, 0),
        cancelled=counts.get(Target.Outcome.CANCELLED, 0),
        pending=pending,
        actor=operation.actor.get_username() if operation.actor else "",
        note=operation.note,
        created_at=operation.created_at,
        ended_at=operation.ended_at,
        seconds=seconds,
        rate_per_s=rate_per_s,
        eta_s=eta_s if operation.ended_at is None else None,
        p50_s=percentile(done_after_s, 0.5),
        p95_s=percentile(done_after_s, 0.95),
        cancel_requested=operation.cancel_requested_at is not None,
        held=_held(operation) if pending and operation.kind == Operation.Kind.ADD else "",
    )


def _held(operation: Operation) -> str:
    """What holds launching back on a host on which devices of an addition still wait."""
    held = bus.held(list(Host.objects.order_by("id").values_list("name", flat=True)))
    if not held:
        return ""
    waiting = Device.objects.filter(targets__operation=operation, state=State.REQUESTED)
    names = set(waiting.order_by().values_list("host__name", flat=True).distinct())
    return next((sentence for name, sentence in held.items() if name in names), "")
