"""A guest as the poller knows it, and how the worker speaks of guests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from devices.host.guests import Process
from devices.poller.errors import BadMessage


class GuestRef(NamedTuple):
    """A guest's process for certain: whose, in which slot, and (boot id, pid, start time).

    `start_time` is in clock ticks since boot, as in /proc/PID/stat.
    """

    serial: str
    slot: int
    boot_id: str
    pid: int
    start_time: int

    @property
    def process(self) -> Process:
        """Its number and start time."""
        return Process(self.pid, self.start_time)


@dataclass(frozen=True)
class GuestsMessage:
    """What the worker says: guests it started, and serials whose guest it ended."""

    started: tuple[GuestRef, ...]
    ended: tuple[str, ...]


def guest_ref(row: Sequence[Any]) -> GuestRef:
    """A guest from a row of serial, slot, boot id, pid, start time; raises BadMessage."""
    try:
        serial, slot, boot_id, pid, start_time = row
        return GuestRef(str(serial), int(slot), str(boot_id), int(pid), int(start_time))
    except (TypeError, ValueError) as error:
        raise BadMessage(f"{row!r} is not a guest's serial, slot, boot id, pid, start time") from (
            error
        )


def parse_message(data: bytes) -> GuestsMessage:
    """A message of channel `fleet:guests:<host>` (docs/architecture.md); raises BadMessage."""
    try:
        message = json.loads(data)
        started, ended = message.get("started", []), message.get("ended", [])
        return GuestsMessage(
            tuple(guest_ref(row) for row in started), tuple(str(serial) for serial in ended)
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise BadMessage(f"{data[:200]!r} does not say which guests started and ended") from error
