from __future__ import annotations

import pytest

from devices.live import words


@pytest.mark.parametrize(
    ("given", "said"),
    [(0, "0 B"), (None, "–"), (1536, "1.5 KiB"), (-3_400_000, "−3.2 MiB"), (24 << 30, "24.0 GiB"),
     (999 << 20, "999 MiB"), (1000 << 20, "1.0 GiB"), (5000 << 30, "5,000 GiB")],
)
def test_size(given: float | None, said: str) -> None:
    assert words.size(given) == said


def test_a_profit_carries_its_sign() -> None:
    assert words.signed_size(2 << 20) == "+2.0 MiB"
    assert words.signed_size(-(2 << 20)) == "−2.0 MiB"
    assert words.signed_size(0) == "0 B"


@pytest.mark.parametrize(
    ("given", "said"),
    [(None, "–"), (0.84, "0.8 s"), (9.97, "10 s"), (42.4, "42 s"), (185, "3 min 05 s"),
     (7800, "2 h 10 min"), (200_000, "2 d 7 h")],
)
def test_duration(given: float | None, said: str) -> None:
    assert words.duration(given) == said


def test_rate_and_devices() -> None:
    assert [words.rate(r) for r in (0, 12.44, 0.1)] == ["0/s", "12.4/s", "6.0/min"]
    assert [words.devices(n) for n in (1, 1000)] == ["1 device", "1,000 devices"]
