"""What a real fleet said to its hub, kept and said again to another one.

A recording is gzipped JSON lines: first `{"states": {slot: state}}`, as the fleet stood, then
`[seconds since the beginning, channel, message]`, the message in base64 when it is not text.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench import fleet

CHANGES = "fleet:changes"
CORES, HOST, GUESTS = "fleet:cores:", "fleet:host:", "fleet:guests-sample:"
PATTERNS = (CHANGES, CORES + "*", HOST + "*", GUESTS + "*")


@dataclass(frozen=True)
class Said:
    """A message, and how long after the beginning it was published."""

    after_s: float
    channel: str
    message: bytes


def record(file: Path, seconds: float) -> int:
    """Listen to the running fleet for so long; gives how many messages were kept."""
    running = fleet.find()
    count = 0
    with (
        redis.Redis.from_url(f"unix://{running.var}/redis/redis.sock") as client,
        client.pubsub(ignore_subscribe_messages=True) as listening,
        gzip.open(file, "wt") as out,
    ):
        listening.psubscribe(*PATTERNS)
        states = {d["slot"]: d["state"] for d in running.devices() if d["slot"] is not None}
        out.write(json.dumps({"states": states}) + "\n")
        began = time.monotonic()
        while (now := time.monotonic()) - began < seconds:
            heard: Any = listening.get_message(timeout=0.5)
            if heard is None:
                continue
            line = [round(now - began, 4), heard["channel"].decode(), _text(heard["data"])]
            out.write(json.dumps(line) + "\n")
            count += 1
    return count


def _text(message: bytes) -> str | dict[str, str]:
    try:
        return message.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(message).decode()}


def states(file: Path) -> dict[int, str]:
    """How the fleet stood when the recording began."""
    with gzip.open(file, "rt") as lines:
        first = json.loads(next(lines))
    return {int(slot): str(state) for slot, state in first["states"].items()}


def said(file: Path) -> Iterator[Said]:
    """What was said, in order."""
    with gzip.open(file, "rt") as lines:
        next(lines)
        for line in lines:
            after_s, channel, text = json.loads(line)
            binary = isinstance(text, dict)
            message = base64.b64decode(text["base64"]) if binary else text.encode()
            yield Said(after_s, channel, message)


def as_of(said: Said, now: float) -> bytes:
    """The message as if it had been published now."""
    if said.channel.startswith(CORES):
        return struct.pack("<d", now) + said.message[8:]
    return json.dumps({**json.loads(said.message), "at": now}, separators=(",", ":")).encode()
