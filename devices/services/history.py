"""Figures over time, in rings: exact for an hour, coarser for a day and a week, never larger.

A point of the finest ring holds figure → value, one of a coarser ring figure → [mean, least, most].
Where nothing was written there is no point: a gap stays a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.utils import timezone

from devices.models import HistoryPoint

Figures = Mapping[str, float]

FLEET = ""


@dataclass(frozen=True)
class Tier:
    """A ring of `length` points that are `step_s` seconds apart."""

    step_s: int
    length: int

    @property
    def reach_s(self) -> int:
        """How far back it goes."""
        return self.step_s * self.length

    def begin(self, at_s: float) -> int:
        """When the step begins into which a moment falls."""
        return int(at_s) // self.step_s * self.step_s

    def place(self, begin_s: int) -> int:
        """The place of a step's point in the ring."""
        return begin_s // self.step_s % self.length


# each step is a whole number of the one before
TIERS = (Tier(5, 720), Tier(60, 1440), Tier(600, 1008))
FINEST = TIERS[0]
WINDOWS = {"hour": TIERS[0], "day": TIERS[1], "week": TIERS[2]}


@dataclass(frozen=True)
class Column:
    """A figure at each moment of a reading, None where there is a gap.

    `least` and `most` are those of the step; at the finest step there is one value only, and both
    are None.
    """

    mean: list[float | None]
    least: list[float | None] | None
    most: list[float | None] | None


@dataclass(frozen=True)
class Reading:
    """A series in a window: moments `step_s` apart (Unix seconds), and each figure at them."""

    step_s: int
    at: list[int]
    figures: dict[str, Column]


def write(at_s: float, series: Mapping[str, Figures], *, last_s: float | None = None) -> None:
    """Write the figures of each series at a moment, and of coarser steps those that are over.

    A step that is written twice has the figures of the last time. `last_s` is when the caller wrote
    last: coarser steps are looked at only where one has ended since.
    """
    begin_s = FINEST.begin(at_s)
    points = [_point(name, FINEST, begin_s, dict(figures)) for name, figures in series.items()]
    with transaction.atomic():
        _keep(points)
        for finer, tier in pairwise(TIERS):
            if last_s is None or tier.begin(last_s) != tier.begin(begin_s):
                _roll(finer, tier, tier.begin(begin_s))


def read(series: str, window: str, *, now: datetime | None = None, after: int = 0) -> Reading:
    """A series in one of `WINDOWS` up to now, from its first point on; only moments past `after`.

    A moment is the beginning of its step. Without a point the reading is empty.
    """
    tier = WINDOWS[window]
    now_s = (now or timezone.now()).timestamp()
    since_s = max(tier.begin(now_s) - tier.reach_s + tier.step_s, tier.begin(after) + tier.step_s)
    found = [
        (int(at.timestamp()), figures)
        for at, figures in HistoryPoint.objects.filter(
            series=series, tier=tier.step_s, at__gte=_moment(since_s), at__lte=_moment(now_s)
        ).order_by("at").values_list("at", "figures")
    ]
    if not found:
        return Reading(tier.step_s, [], {})
    first_s, last_s = found[0][0], found[-1][0]
    count = (last_s - first_s) // tier.step_s + 1
    names = {name for _, figures in found for name in figures}
    columns = {name: _column(count, coarse=tier is not FINEST) for name in sorted(names)}
    for at_s, figures in found:
        index = (at_s - first_s) // tier.step_s
        for name, value in figures.items():
            _put(columns[name], index, value)
    return Reading(tier.step_s, list(range(first_s, last_s + 1, tier.step_s)), columns)


def tidy() -> None:
    """Delete what is older than any ring reaches: the series of hosts that are no more."""
    oldest = timezone.now() - timedelta(seconds=max(tier.reach_s for tier in TIERS))
    HistoryPoint.objects.filter(at__lt=oldest).delete()


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _point(series: str, tier: Tier, begin_s: int, figures: dict[str, Any]) -> HistoryPoint:
    return HistoryPoint(
        series=series, tier=tier.step_s, place=tier.place(begin_s), at=_moment(begin_s),
        figures=figures,
    )


def _keep(points: Sequence[HistoryPoint]) -> None:
    """Put points in their places, whoever was there."""
    if points:
        HistoryPoint.objects.bulk_create(
            points, update_conflicts=True, unique_fields=["series", "tier", "place"],
            update_fields=["at", "figures"],
        )


def _roll(finer: Tier, tier: Tier, this_s: int) -> None:
    """Write the steps of `tier` before `this_s` of which there is no point yet.

    Usually that is the last one; after a time in which nobody wrote, that in which writing ended.
    """
    earlier = HistoryPoint.objects.filter(tier=tier.step_s, at__lt=_moment(this_s))
    newest = earlier.order_by("-at").values_list("at", flat=True).first()
    # whatever is older may be overwritten in part
    since_s = tier.begin(this_s - finer.reach_s) + tier.step_s
    if newest is not None:
        since_s = max(since_s, int(newest.timestamp()) + tier.step_s)
    if since_s >= this_s:
        return
    found = HistoryPoint.objects.filter(
        tier=finer.step_s, at__gte=_moment(since_s), at__lt=_moment(this_s)
    )
    steps: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for series, at, figures in found.values_list("series", "at", "figures"):
        steps.setdefault((series, tier.begin(at.timestamp())), []).append(figures)
    _keep([_point(name, tier, begin, _together(all_)) for (name, begin), all_ in steps.items()])


def _together(points: Iterable[dict[str, Any]]) -> dict[str, list[float]]:
    """Mean, least and most of each figure of some points; the mean is that of their means."""
    gathered: dict[str, list[tuple[float, float, float]]] = {}
    for figures in points:
        for name, value in figures.items():
            three = (value, value, value) if isinstance(value, int | float) else tuple(value)
            gathered.setdefault(name, []).append(three)
    return {
        name: [
            round(sum(mean for mean, _, _ in found) / len(found), 4),
            min(least for _, least, _ in found),
            max(most for _, _, most in found),
        ]
        for name, found in gathered.items()
    }


def _column(count: int, *, coarse: bool) -> Column:
    empty: list[float | None] = [None] * count
    return Column(list(empty), list(empty) if coarse else None, list(empty) if coarse else None)


def _put(column: Column, index: int, value: Any) -> None:
    if column.least is None or column.most is None:
        column.mean[index] = value
    else:
        column.mean[index], column.least[index], column.most[index] = value
