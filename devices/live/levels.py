"""How much of a core a guest uses, in sixteen steps that the eye can tell apart.

The steps widen with the load, as the square root does: the first ends at 0.1 % of a core, the last
begins at 93 %. A guest whose load wavers at the edge of two steps stays where it is.
"""

from __future__ import annotations

LEVELS = 16
TOP = LEVELS - 1
FULL = 1000  # per mille of one core
WAVER = 0.25  # of a step, beyond its edges


def _edge(level: float) -> float:
    return FULL * (level / TOP) ** 2


def _bounds(level: int) -> tuple[int, int]:
    low = _edge(level - 0.5 - WAVER) if level else -1.0
    high = _edge(level + 0.5 + WAVER) if level < TOP else 1e9
    return int(low) + 1 if low >= 0 else -1, int(high)


_NEAREST = bytes(round(TOP * (permille / FULL) ** 0.5) for permille in range(FULL + 1))
_BOUNDS = tuple(_bounds(level) for level in range(LEVELS))
KEEPS_FROM = tuple(low for low, _ in _BOUNDS)
KEEPS_TO = tuple(high for _, high in _BOUNDS)


def nearest(permille: int) -> int:
    """The step of a load given in thousandths of a core."""
    return _NEAREST[max(0, min(FULL, permille))]


def share(level: int) -> float:
    """What part of a core a step stands for, 0–1."""
    return (level / TOP) ** 2
