from __future__ import annotations

import pytest

from devices.qemu.ring import Ring


@pytest.mark.parametrize("size", [1, 3, 7, 64, 1000])
def test_it_keeps_the_newest_whatever_the_pieces(size: int) -> None:
    everything = bytes(i % 251 for i in range(5000))
    ring = Ring(64)
    for start in range(0, len(everything), size):
        ring.append(everything[start : start + size])
        assert len(ring) <= 64
    assert ring.content() == everything[-64:]
    assert len(ring) == 64


def test_taking_empties_it() -> None:
    ring = Ring(10)
    ring.append(b"abc")
    ring.append(b"")
    ring.append(b"def")
    assert ring.take() == b"abcdef"
    assert ring.take() == b""
    assert len(ring) == 0
    ring.append(b"g")
    assert ring.content() == b"g"


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Ring(0)
