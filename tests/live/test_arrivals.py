from __future__ import annotations

from devices.live.arrivals import Arrivals


def test_the_rate_is_that_of_the_last_ten_whole_seconds() -> None:
    arrivals = Arrivals()
    for at in (100.0, 100.4, 101.9, 105.5):
        arrivals.note(at)
    assert arrivals.per_s(106.2) == 0.4
    assert arrivals.per_s(111.0) == 0.2  # those of second 100 are eleven seconds old
    assert arrivals.per_s(200.0) == 0.0


def test_each_second_has_its_place_and_the_running_one_has_none() -> None:
    arrivals = Arrivals()
    arrivals.note(100.2)
    arrivals.note(102.7)
    arrivals.note(103.1)
    assert arrivals.each_s(103.5, 4) == [0, 1, 0, 1]
    assert arrivals.each_s(103.5)[-3:] == [1, 0, 1]
    assert len(arrivals.each_s(103.5)) == 60
