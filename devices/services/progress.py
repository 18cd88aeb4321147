"""How far an operation has come, with rate, time left and percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Count, Max, Q
from django.utils import timezone

from devices.models import Device, Host, Operation, Target
from devices.services import bus, orders
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
    return ordered[rank(len(ordered), share)] if ordered else None


def rank(count: int, share: float) -> int:
    """Which of so many ascending values is their percentile, counted from 0."""
    return max(0, math.ceil(share * count) - 1)


def rate_and_eta(
    *, done: int, last_s: float, lately: int, now_s: float, pending: int
) -> tuple[float, float | None]:
    """Devices a second over the whole, and seconds left judged by the last 30 s.

    `last_s` is when the last of the `done` was, in seconds after the start, and `lately` how many
    were done in that window. The time left is None while there were none.
    """
    if not done:
        return 0.0, 0.0 if pending == 0 else None
    rate = done / max(last_s, 0.001)
    if pending == 0:
        return rate, 0.0
    return rate, pending * window_s(now_s) / lately if lately else None


def window_s(now_s: float) -> float:
    """How far back the time left looks, so many seconds after the start."""
    return min(WINDOW_S, max(now_s, 0.001))


def view(operation: Operation) -> OperationView:
    """The operation with its progress; costs a few queries, and none for one that has ended.

    The database does the counting: a page looks twice a second at operations of a thousand rows.
    """
    if operation.ended_at is None:
        return _view(operation)
    return _view_of_ended(operation, operation.ended_at)


@lru_cache(maxsize=64)
def _view_of_ended(operation: Operation, ended_at: datetime) -> OperationView:
    return _view(operation)


def _view(operation: Operation) -> OperationView:
    end = operation.ended_at or timezone.now()
    seconds = max(0.0, _after_s(operation, end))
    since = end - timedelta(seconds=window_s(seconds))
    targets = Target.objects.filter(operation=operation).order_by()
    rows = targets.values("outcome").annotate(
        n=Count("id"), last=Max("ended_at"), lately=Count("id", filter=Q(ended_at__gte=since))
    )
    by_outcome = {row["outcome"]: row for row in rows}
    counts = {outcome: row["n"] for outcome, row in by_outcome.items()}
    pending = counts.get(Target.Outcome.PENDING, 0)
    done = by_outcome.get(Target.Outcome.DONE)
    rate_per_s, eta_s = rate_and_eta(
        done=done["n"] if done else 0,
        last_s=_after_s(operation, done["last"]) if done else 0.0,
        lately=done["lately"] if done else 0,
        now_s=seconds,
        pending=pending,
    )
    p50_s, p95_s = (_percentile_s(operation, done["n"] if done else 0, s) for s in (0.5, 0.95))
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
        p50_s=p50_s,
        p95_s=p95_s,
        cancel_requested=operation.cancel_requested_at is not None,
        held=_held(operation) if pending else "",
    )


def _after_s(operation: Operation, at: datetime) -> float:
    return (at - operation.created_at).total_seconds()


def _percentile_s(operation: Operation, done: int, share: float) -> float | None:
    """What `percentile` gives of the seconds to each of the done, found by the database."""
    if not done:
        return None
    targets = Target.objects.filter(operation=operation, outcome=Target.Outcome.DONE)
    ended = targets.order_by("ended_at").values_list("ended_at", flat=True)
    place = rank(done, share)
    # they were counted before, and may have been deleted since
    at = next(iter(ended[place : place + 1]), None)
    return None if at is None else _after_s(operation, at)


def _held(operation: Operation) -> str:
    """What keeps an operation from going on, on a host on which devices of it still wait."""
    waits_in = {
        Operation.Kind.ADD: State.REQUESTED,
        Operation.Kind.POWER_ON: State.REQUESTED,
        Operation.Kind.REBOOT: State.ONLINE,
    }.get(Operation.Kind(operation.kind))
    if waits_in is None:
        return ""
    hosts = list(Host.objects.order_by("id").values_list("name", flat=True))
    held = orders.held(hosts) if operation.kind == Operation.Kind.REBOOT else bus.held(hosts)
    if not held:
        return ""
    waiting = Device.objects.filter(
        targets__operation=operation, targets__outcome=Target.Outcome.PENDING, state=waits_in
    )
    names = set(waiting.order_by().values_list("host__name", flat=True).distinct())
    return next((sentence for name, sentence in held.items() if name in names), "")
