"""A fleet that is nowhere but in these lists: states that move as real ones may, and loads."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

# where a device goes from where it is, by the graph of devices/states.py
NEXT = {
    "online": ("offline", "rebooting", "updating", "stopping"),
    "offline": ("online",),
    "rebooting": ("online",),
    "updating": ("online", "online", "online", "offline"),
    "stopping": ("gone",),
    "gone": ("requested",),
    "requested": ("spawning",),
    "spawning": ("booting",),
    "booting": ("online",) * 9 + ("failed",),
    "failed": ("stopping",),
}
CALM = 0.35  # of all moves begin with a device that is online


@dataclass
class MadeUpFleet:
    """`devices` in their places and `cores` of one host."""

    devices: int
    cores: int
    draw: random.Random = field(default_factory=lambda: random.Random(1))
    states: list[str] = field(init=False)
    _busy: list[float] = field(init=False)
    _loads: list[float] = field(init=False)
    _unsettled: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states = ["online"] * self.devices
        self._busy = [self.draw.random() * 0.6 for _ in range(self.cores)]
        self._loads = [self.draw.random() ** 4 * 0.3 for _ in range(self.devices)]

    def move(self, count: int) -> dict[int, str]:
        """Move so many devices one step on and give their new states by slot."""
        moved: dict[int, str] = {}
        for _ in range(count):
            if self._unsettled and self.draw.random() > CALM:
                at = self.draw.randrange(len(self._unsettled))
                self._unsettled[at], self._unsettled[-1] = self._unsettled[-1], self._unsettled[at]
                slot = self._unsettled.pop()
            else:
                slot = self.draw.randrange(self.devices)
            if slot in moved:
                continue
            before = self.states[slot]
            self.states[slot] = moved[slot] = self.draw.choice(NEXT[before])
            if moved[slot] != "online":
                self._unsettled.append(slot)
        return moved

    def busy(self) -> bytes:
        """A byte for each core, near to what it was."""
        for core, share in enumerate(self._busy):
            jump = self.draw.random() if self.draw.random() < 0.02 else share
            self._busy[core] = min(1.0, max(0.0, jump + self.draw.uniform(-0.08, 0.08)))
        return bytes(int(share * 255) for share in self._busy)

    def random_loads(self) -> list[list[int | None]]:
        """Rows of slot, thousandths of a core, RSS and PSS, each load independent of the last."""
        draw = self.draw.random
        return [[slot, int(draw() * 1001), 40_000, 20_000] for slot in self.running()]

    def wandering_loads(self) -> list[list[int | None]]:
        """The same, with loads as devices have them: mostly idle, rising and falling."""
        rows: list[list[int | None]] = []
        draw = self.draw.random
        for slot in self.running():
            load = self._loads[slot] * (0.8 + 0.38 * draw())
            if draw() < 0.01:
                load = draw() ** 2
            if self.states[slot] in ("booting", "rebooting", "updating"):
                load = 0.6 + 0.4 * draw()
            self._loads[slot] = load = min(1.0, load)
            rows.append([slot, int(load * 1000), 40_000, 20_000])
        return rows

    def running(self) -> list[int]:
        """The places of devices that have a guest."""
        asleep = ("gone", "requested", "failed")
        return [slot for slot, state in enumerate(self.states) if state not in asleep]
