"""How long an addition would take, by how the last ones went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db.models import Count, Max, Min

from devices.models import Device, Operation, Target

LOOKED_AT = 10
# one says nothing of an addition more than so many times as large: what a few devices take is the
# time in which one starts, not how many start in a time
LIKE = 10.0


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an addition went: how many came online, the first and the last so many seconds after."""

    count: int
    first_s: float
    last_s: float

    def scaled_s(self, count: int) -> float:
        """Seconds until the last of `count` devices, had they come in the same way."""
        if self.count == 1:
            return self.last_s
        each_s = (self.last_s - self.first_s) / (self.count - 1)
        return self.first_s + each_s * (count - 1)


def estimate_s(count: int, courses: Sequence[Course]) -> float | None:
    """Seconds until `count` more are online, by the newest of the courses of about that size.

    None when none is large enough to say anything; `courses` are newest first.
    """
    like = [course for course in courses if course.count * LIKE >= count]
    nearest = min(like, key=lambda course: _doublings(count, course.count), default=None)
    return None if nearest is None else nearest.scaled_s(count)


def _doublings(one: int, other: int) -> int:
    return round(abs(math.log2(one / other)))


def courses(architecture: str, start: str = Device.Start.WARM) -> list[Course]:
    """How the last additions of such devices went, newest first."""
    ended = Operation.objects.filter(
        kind=Operation.Kind.ADD, ended_at__isnull=False,
        parameters__architecture=architecture, parameters__start=start,
    )
    rows = ended.order_by("-id").values_list("id", "created_at", "ended_at")[:LOOKED_AT]
    found = (_course(number, created_at, ended_at) for number, created_at, ended_at in rows)
    return [course for course in found if course is not None]


@lru_cache(maxsize=64)
def _course(operation_id: int, created_at: datetime, ended_at: datetime) -> Course | None:
    """How an ended operation went, which does not change; None when nothing was added."""
    done = Target.objects.filter(operation_id=operation_id, outcome=Target.Outcome.DONE)
    seen = done.aggregate(n=Count("id"), first=Min("ended_at"), last=Max("ended_at"))
    if not seen["n"]:
        return None
    return Course(
        count=seen["n"],
        first_s=(seen["first"] - created_at).total_seconds(),
        last_s=(seen["last"] - created_at).total_seconds(),
    )
