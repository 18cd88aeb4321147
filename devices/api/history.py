"""History: the fleet's or a host's figures over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from devices.api.schemas import ProblemOut
from devices.errors import NotFound
from devices.models import Operation
from devices.services import history, hosts, marks

router = Router()

Values = list[float | None]


class ColumnOut(Schema):
    """A figure at each moment, null where nothing was written.

    `least` and `most` are those within a step; null in the hour, whose points are single values.
    """

    mean: Values
    least: Values | None
    most: Values | None


class MarkOut(Schema):
    """An operation that was asked for in the window."""

    id: int
    kind: str
    count: int
    state: str
    actor: str
    created_at: datetime
    ended_at: datetime | None


class HistoryOut(Schema):
    """A series' figures at moments `step_s` seconds apart; `at` is Unix time, in seconds."""

    series: str
    window: str
    step_s: int
    reach_s: int
    at: list[int]
    figures: dict[str, ColumnOut]
    operations: list[MarkOut]


@router.get(
    "/history", response={200: HistoryOut, 404: ProblemOut}, summary="Figures over time"
)
def some(
    request: HttpRequest,
    series: Annotated[str, Query(max_length=63)] = history.FLEET,
    window: Literal["hour", "day", "week"] = "hour",
    after: Annotated[int, Query(ge=0, lt=1 << 33)] = 0,
) -> dict[str, Any]:
    """The whole fleet's figures, or those of the host that `series` names.

    The last hour in steps of 5 s, the last day of a minute, the last week of ten minutes. With
    `after` (Unix time) only later moments, and operations that changed since. Names of figures
    carry their units; `_mib` is 1,048,576 bytes, `busy` a share of all cores.
    """
    if series != history.FLEET and series not in hosts.names():
        raise NotFound(f"There is no host {series[:40]}.")
    now = timezone.now()
    reading = history.read(series, window, now=now, after=after)
    reach_s = history.WINDOWS[window].reach_s
    changed = datetime.fromtimestamp(after, UTC) if after else None
    found = marks.since(now - timedelta(seconds=reach_s), changed)
    return {
        "series": series,
        "window": window,
        "step_s": reading.step_s,
        "reach_s": reach_s,
        "at": reading.at,
        "figures": {
            name: {"mean": column.mean, "least": column.least, "most": column.most}
            for name, column in reading.figures.items()
        },
        "operations": [_mark(operation) for operation in found],
    }


def _mark(operation: Operation) -> MarkOut:
    return MarkOut(
        id=operation.id,
        kind=operation.kind,
        count=operation.count,
        state=operation.state,
        actor=operation.actor.get_username() if operation.actor else "",
        created_at=operation.created_at,
        ended_at=operation.ended_at,
    )
