from __future__ import annotations

from devices.services.unbroken import Unbroken


def test_rounds_count_from_the_first_until_one_is_late() -> None:
    rounds = Unbroken(gap_s=30.0)
    assert [rounds.since(at) for at in (100.0, 110.0, 140.0)] == [100.0, 100.0, 100.0]
    assert [rounds.since(at) for at in (171.0, 180.0)] == [171.0, 171.0]


def test_a_break_that_is_told_of_and_a_clock_that_is_set_begin_anew() -> None:
    rounds = Unbroken(gap_s=30.0)
    rounds.since(100.0)
    rounds.broken()
    assert rounds.since(101.0) == 101.0
    # threads may come in another order
    assert rounds.since(100.5) == 100.5
    assert rounds.since(40.0) == 40.0
