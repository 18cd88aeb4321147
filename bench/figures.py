"""Percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile (`share` 0–1), None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def rounded(value: float | None, digits: int = 2) -> float | None:
    """The value with fewer digits, None for None."""
    return None if value is None else round(value, digits)


def rate_of_first(after_s: Sequence[float], count: int) -> float | None:
    """Devices a second over the first `count` of those done after so many seconds; None if fewer.

    With fewer than `count` in all it is None: a shorter run says something else.
    """
    if count < 1 or len(after_s) < count:
        return None
    return count / max(sorted(after_s)[count - 1], 1e-3)
