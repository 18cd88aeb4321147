"""What a browser holds of the wall."""

from __future__ import annotations

from devices.live import cells, frames
from devices.live.frames import Kind


class Held:
    """States and levels, brought up to date by each frame; refuses one that does not follow."""

    def __init__(self) -> None:
        self.states = bytearray()
        self.levels = bytearray()
        self.sequence = 0
        self.epoch = 0
        self.at = 0.0
        self.kinds: list[Kind] = []

    def take(self, message: bytes | None) -> Held:
        """Take the wall's frame of a message."""
        assert message is not None
        for frame in frames.decode_all(message):
            if frame.kind in (Kind.WALL_SNAPSHOT, Kind.WALL_DELTA):
                self.take_frame(frame)
        return self

    def take_frame(self, frame: frames.Frame) -> None:
        """Take a frame of the wall."""
        if frame.kind is Kind.WALL_SNAPSHOT:
            self.states.clear()
            self.levels.clear()
            self.sequence = 0
        else:
            assert frame.epoch == self.epoch
        assert cells.read(frame.payload, self.states, self.levels) == self.sequence
        self.epoch, self.sequence, self.at = frame.epoch, frame.sequence, frame.at
        self.kinds.append(frame.kind)
