"""The last so many bytes of something that never ends."""

from __future__ import annotations

from collections import deque


class Ring:
    """Keeps at most `capacity_bytes` of what was appended, the newest; not for many threads."""

    def __init__(self, capacity_bytes: int) -> None:
        if capacity_bytes < 1:
            raise ValueError("a ring holds at least one byte")
        self.capacity_bytes = capacity_bytes
        self._chunks: deque[bytes] = deque()
        self._size_bytes = 0

    def __len__(self) -> int:
        return self._size_bytes

    def append(self, chunk: bytes) -> None:
        """Add bytes; as many of the oldest go as no longer fit."""
        chunk = chunk[-self.capacity_bytes :]
        if not chunk:
            return
        self._chunks.append(chunk)
        self._size_bytes += len(chunk)
        while self._size_bytes > self.capacity_bytes:
            oldest = self._chunks.popleft()
            excess = self._size_bytes - self.capacity_bytes
            if len(oldest) > excess:
                self._chunks.appendleft(oldest[excess:])
            self._size_bytes -= min(excess, len(oldest))

    def content(self) -> bytes:
        """All that is kept, oldest first."""
        # many small chunks cost more than one large one
        joined = b"".join(self._chunks)
        self._chunks = deque([joined] if joined else [])
        return joined

    def take(self) -> bytes:
        """All that is kept; the ring is empty afterwards."""
        content = self.content()
        self._chunks.clear()
        self._size_bytes = 0
        return content
