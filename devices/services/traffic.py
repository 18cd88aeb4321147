"""What devices and the gateway say to each other, counted since Redis began."""

from __future__ import annotations

import time
from dataclasses import dataclass

from devices.services import bus

# the names of the counters in Redis, in the order of `Traffic`'s fields
COUNTERS = ("reports", "messages", "received_bytes", "sent_bytes")
# how far apart a gateway's writings are where devices speak all the time
WRITTEN_EVERY_S = 2.0


@dataclass(frozen=True)
class Traffic:
    """Counters that only grow, as they were at Unix time `at`.

    `reports` are those over HTTP, `messages` the text frames that devices sent over their sockets.
    Bytes are those of the frames' text and of the reports' bodies, without what carries them.
    """

    at: float
    reports: int
    messages: int
    received_bytes: int
    sent_bytes: int


class Count:
    """What one gateway has counted and not yet written; costs additions only."""

    __slots__ = ("messages", "received_bytes", "reports", "sent_bytes")

    def __init__(self) -> None:
        self.reports = self.messages = self.received_bytes = self.sent_bytes = 0

    def reported(self, size_bytes: int) -> None:
        """A report arrived."""
        self.reports += 1
        self.received_bytes += size_bytes

    def received(self, size_bytes: int) -> None:
        """A text frame arrived."""
        self.messages += 1
        self.received_bytes += size_bytes

    def sent(self, size_bytes: int) -> None:
        """A text frame was sent."""
        self.sent_bytes += size_bytes

    def take(self) -> tuple[int, ...]:
        """The counts in the order of `COUNTERS`; they begin again at zero."""
        taken = (self.reports, self.messages, self.received_bytes, self.sent_bytes)
        self.reports = self.messages = self.received_bytes = self.sent_bytes = 0
        return taken


def read() -> Traffic | None:
    """The counters of all gateways together; None while Redis is away.

    Before the first word of a device all are zero, as of now.
    """
    with bus.tolerant("traffic"):
        found = bus.client().hgetall(bus.TRAFFIC)
        if not isinstance(found, dict):
            return None
        counts = [int(found.get(name.encode(), 0)) for name in COUNTERS]
        return Traffic(float(found.get(b"at", time.time())), *counts)
    return None


def per_s(older: Traffic, newer: Traffic, seconds: float) -> dict[str, float] | None:
    """Counter → how many a second between two looks that are so many seconds apart.

    None when Redis began again between them.
    """
    written = newer.at - older.at
    grown = {name: getattr(newer, name) - getattr(older, name) for name in COUNTERS}
    if seconds <= 0 or written < 0 or any(growth < 0 for growth in grown.values()):
        return None
    # who has much to write does so every two seconds: sometimes twice between two looks, sometimes
    # three times; who had nothing to write before has all from since the last look
    if 0 < written < seconds + WRITTEN_EVERY_S:
        seconds = written
    return {name: growth / seconds for name, growth in grown.items()}
