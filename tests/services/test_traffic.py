from __future__ import annotations

import pytest

from devices.services import bus, presence, traffic
from devices.services.traffic import Count, Traffic

pytestmark = pytest.mark.usefixtures("redis_server")


def test_what_gateways_count_adds_up() -> None:
    count = Count()
    count.reported(100)
    for size in (30, 12):
        count.received(size)
        count.sent(size)
    presence.renew([], 50.0, {}, count.take())
    assert count.take() == (0, 0, 0, 0)
    presence.renew([], 60.0, {}, (0, 5, 0, 1))
    assert traffic.read() == Traffic(60.0, 1, 7, 142, 43)


def test_rates_are_those_between_two_writings() -> None:
    older, newer = Traffic(10.0, 0, 100, 0, 0), Traffic(14.0, 2, 140, 400, 0)
    rates = {"reports": 0.5, "messages": 10.0, "received_bytes": 100.0, "sent_bytes": 0.0}
    assert traffic.per_s(older, newer, 5.0) == rates
    # nothing was written since
    assert traffic.per_s(newer, newer, 5.0) == dict.fromkeys(rates, 0.0)
    # Redis began again
    assert traffic.per_s(newer, Traffic(20.0, 0, 3, 0, 0), 5.0) is None


def test_what_is_said_after_a_silence_was_said_since_the_last_look() -> None:
    older, newer = Traffic(10.0, 0, 100, 0, 0), Traffic(70.0, 0, 110, 0, 0)
    rates = traffic.per_s(older, newer, 5.0)
    assert rates is not None
    assert rates["messages"] == 2.0


def test_before_the_first_word_everything_is_zero() -> None:
    bus.client().flushall()
    read = traffic.read()
    assert read is not None
    assert (read.messages, read.reports) == (0, 0)
