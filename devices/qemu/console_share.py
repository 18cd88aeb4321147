"""How much of what a guest says is handed on: a guest that talks without end floods nobody."""

from __future__ import annotations

from devices.qemu.ring import Ring

# three times a real serial line of 115200 baud
BYTES_PER_S = 32 << 10
BURST_BYTES = 64 << 10
# less than this is not worth a message while more is waiting
_LEAST_BYTES = 1 << 10
# a cut is made at the end of a line, if there is one so near
_LINE_BYTES = 512


class Share:
    """What waits of one guest's output, given away at no more than a fixed rate.

    What is beyond that is left out of the middle, with a line that says how much; the newest comes
    through. `now_s` is a clock that never goes back.
    """

    def __init__(
        self, *, bytes_per_s: int = BYTES_PER_S, burst_bytes: int = BURST_BYTES
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._burst_bytes = burst_bytes
        self._allowed_bytes = float(burst_bytes)
        self._counted_at_s: float | None = None
        self._waiting = Ring(burst_bytes)
        self._said_bytes = 0

    def append(self, chunk: bytes) -> None:
        """The guest has said this."""
        self._waiting.append(chunk)
        self._said_bytes += len(chunk)

    def take(self, now_s: float, *, last: bool = False) -> bytes:
        """What may be handed on now; nothing while the guest has to wait for its next share.

        `last` gives what there is, for nobody will ask again.
        """
        before_s = now_s if self._counted_at_s is None else self._counted_at_s
        self._counted_at_s = now_s
        self._allowed_bytes = min(
            float(self._burst_bytes),
            self._allowed_bytes + self._bytes_per_s * (now_s - before_s),
        )
        kept = min(len(self._waiting), int(self._allowed_bytes))
        if kept < min(len(self._waiting), _LEAST_BYTES) and not last:
            return b""
        said_bytes, self._said_bytes = self._said_bytes, 0
        self._allowed_bytes -= kept
        content = self._waiting.take()
        content = content[len(content) - kept :]
        if kept == said_bytes:
            return content
        content = _from_a_line(content)
        return left_out(said_bytes - len(content)) + content

    def __len__(self) -> int:
        """Bytes that wait."""
        return len(self._waiting)


def left_out(count_bytes: int) -> bytes:
    """The line that stands for so many bytes."""
    size = f"{count_bytes / 1024:,.0f} KiB" if count_bytes >= 1024 else f"{count_bytes} bytes"
    return f"\r\n\x1b[0m… {size} left out …\r\n".encode()


def _from_a_line(content: bytes) -> bytes:
    """From the first beginning of a line, so that no word and no escape sequence is cut."""
    end = content.find(b"\n", 0, _LINE_BYTES)
    return content[end + 1 :]
