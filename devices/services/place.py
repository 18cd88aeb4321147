"""Which host runs which new device; pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping


class NoRoom(Exception):
    """More devices than all hosts together have room for."""


def place(count: int, fits: Mapping[str, int]) -> list[str]:
    """A host's name for each of `count` devices, always the one with most room left.

    `fits` is how many more each host takes. Raises NoRoom when they are too few together.
    """
    if count > sum(fits.values()):
        raise NoRoom(f"{count} devices asked for, room for {sum(fits.values())}")
    room = [(-left, name) for name, left in sorted(fits.items()) if left > 0]
    heapq.heapify(room)
    placed: list[str] = []
    for _ in range(count):
        left, name = heapq.heappop(room)
        placed.append(name)
        if left + 1 < 0:
            heapq.heappush(room, (left + 1, name))
    return placed
