from __future__ import annotations

from devices.gateway.spread import EACH_MS, LATELY_S, MOST_MS, Spread


def test_one_device_opens_its_socket_at_once() -> None:
    assert Spread().within_ms(0.0) == 0


def test_of_a_crowd_each_waits_longer_up_to_a_bound() -> None:
    spread = Spread()
    waits = [spread.within_ms(0.02 * n) for n in range(400)]
    assert waits[:3] == [0, EACH_MS, 2 * EACH_MS]
    assert waits == sorted(waits)
    assert waits[-1] == MOST_MS


def test_a_crowd_is_forgotten() -> None:
    spread = Spread()
    for n in range(400):
        spread.within_ms(0.02 * n)
    assert spread.within_ms(8.0 + LATELY_S) == 0
