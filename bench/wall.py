"""How long after a device's change the wall in a browser shows it."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.figures import percentile, rounded
from bench.fleet import moment
from bench.person import Person
from devices.live import frames
from devices.live.frames import BadFrame, Kind
from devices.states import State

# what the dashboard itself asks for
PARTS = "counts,capacity,hosts,operations,cores,wall"
ONLINE = frames.STATE_BYTES[State.ONLINE]
_SEQUENCE = re.compile(r"^<!--(\d+)-->")

Heard = tuple[float, bytes]


def first_online(heard: Iterable[Heard]) -> dict[int, float]:
    """When each slot was first seen to become online, in Unix seconds.

    Slots that were online in the first frame that tells of them are left out: nobody saw them
    change.
    """
    before: dict[int, int] = {}
    found: dict[int, float] = {}
    snapshot_seen = False
    for at, message in heard:
        for slot, state in _states(message, fill=before):
            known = before.get(slot, 0 if snapshot_seen else None)
            if state == ONLINE and known is not None and known != ONLINE:
                found.setdefault(slot, at)
            before[slot] = state
        snapshot_seen = True
    return found


def _states(message: bytes, *, fill: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    try:
        frame = frames.decode(message)
    except BadFrame:
        return
    if frame.kind is Kind.WALL_SNAPSHOT:
        states, _ = frames.read_wall_snapshot(frame.payload)
        yield from enumerate(states)
        yield from ((slot, 0) for slot in fill if slot >= len(states))
    elif frame.kind is Kind.WALL_DELTA:
        _, changes = frames.read_wall_delta(frame.payload)
        yield from ((slot, state) for slot, state, _ in changes)


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
            frame = frames.decode(message)
            if frame.kind in (Kind.WALL_SNAPSHOT, Kind.WALL_DELTA):
                self.frames.append((at, message))
            self._acknowledge(frame.sequence)

    def _acknowledge(self, sequence: int) -> None:
        self._socket.send(json.dumps({"ack": sequence}))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._thread.join(timeout=5)
