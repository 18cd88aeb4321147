"""How long after a device's change the wall in a browser shows it."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.figures import percentile, rounded
from bench.fleet import moment
from bench.person import Person
from devices.live import cells, frames
from devices.live.frames import BadFrame, Frame, Kind
from devices.states import State

# what the dashboard itself asks for
PARTS = "counts,capacity,hosts,operations,cores,wall"
ONLINE = frames.STATE_BYTES[State.ONLINE]
EMPTY, UNKNOWN = 0, 15
MOST_PLACES = 20_000
_SEQUENCE = re.compile(r"^<!--(\d+)-->")

Heard = tuple[float, bytes]


def first_online(heard: Iterable[Heard]) -> dict[int, float]:
    """When each slot was first seen to become online, in Unix seconds.

    Slots that were online when they were first told of as a whole are left out: nobody saw them
    change.
    """
    states, found = bytearray([UNKNOWN]) * MOST_PLACES, dict[int, float]()
    for at, message in heard:
        for frame in _walls(message):
            before = bytes(states)
            whole = frame.kind is Kind.WALL_SNAPSHOT
            if whole:
                states.clear()
            with contextlib.suppress(BadFrame):
                cells.read(frame.payload, states, bytearray(len(states)))
            for slot, state in enumerate(states):
                was = before[slot] if slot < len(before) else EMPTY
                if state == ONLINE and was != ONLINE and not (whole and was == UNKNOWN):
                    found.setdefault(slot, at)
    return found


def _walls(message: bytes) -> list[Frame]:
    try:
        found = frames.decode_all(message)
    except BadFrame:
        return []
    return [each for each in found if each.kind in (Kind.WALL_SNAPSHOT, Kind.WALL_DELTA)]


def delays_s(devices: Iterable[dict[str, Any]], seen: Mapping[int, float]) -> list[float]:
    """Seconds from each device's move to online, as its row has it, to the frame that shows it.

    The row's time is taken before the transaction, so writing it, publishing it and painting are
    all in it. A device that was never seen is left out.
    """
    return [
        seen[d["slot"]] - moment(d["online_at"])
        for d in devices
        if d["online_at"] is not None and d["slot"] in seen
    ]


def figures(devices: list[dict[str, Any]], heard: Iterable[Heard]) -> dict[str, Any]:
    """p50, p95 and the longest delay in milliseconds, and how many changes were seen."""
    delays = delays_s(devices, first_online(heard))
    ms = [1000 * delay for delay in delays]
    return {
        "changes": len(devices),
        "seen": len(ms),
        "p50_ms": rounded(percentile(ms, 0.5), 0),
        "p95_ms": rounded(percentile(ms, 0.95), 0),
        "longest_ms": rounded(max(ms, default=None), 0),
    }


class Client:
    """A browser's socket without a browser: takes and acknowledges everything as the page does."""

    def __init__(self, person: Person) -> None:
        try:
            from websockets.sync.client import connect
        except ImportError:
            raise BenchError("the wall's delay needs websockets; bin/test installs it") from None
        address = f"ws://{urlsplit(person.url).netloc}/live/?parts={PARTS}"
        try:
            self._socket = connect(
                address,
                additional_headers={"Cookie": person.cookies, "Origin": person.url},
                max_size=None,
                compression=None,
                proxy=None,
            )
        except Exception as error:
            raise BenchError(f"the live socket refused: {error}") from error
        self.frames: list[Heard] = []
        self.bytes = 0
        self._thread = threading.Thread(target=self._run, name="wall", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            for message in self._socket:
                at = time.time()
                self.bytes += len(message)
                if isinstance(message, bytes):
                    self._take(at, message)
                elif found := _SEQUENCE.match(message):
                    self._acknowledge(int(found[1]))

    def _take(self, at: float, message: bytes) -> None:
        with contextlib.suppress(BadFrame):
            last = frames.decode_all(message)[-1]
            if _walls(message):
                self.frames.append((at, message))
            self._acknowledge(last.sequence)

    def _acknowledge(self, sequence: int) -> None:
        self._socket.send(sequence.to_bytes(4, "little"))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._thread.join(timeout=5)
