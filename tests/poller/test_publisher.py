from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from devices.poller.publisher import LatestPublisher
from tests.poller.conftest import until


@pytest.fixture
def publisher() -> Iterator[LatestPublisher]:
    made = LatestPublisher()
    made.start()
    yield made
    made.stop()


def test_what_is_offered_is_said(publisher: LatestPublisher) -> None:
    said: list[int] = []
    publisher.offer("cores", lambda: said.append(1))
    until(lambda: said == [1])


def test_only_the_newest_of_a_kind_is_said_when_redis_was_slow(
    publisher: LatestPublisher,
) -> None:
    slow, speaking = threading.Event(), threading.Event()
    said: list[str] = []

    def say_slowly() -> None:
        speaking.set()
        slow.wait(30)

    publisher.offer("cores", say_slowly)
    assert speaking.wait(30)
    for n in range(100):
        publisher.offer("cores", lambda n=n: said.append(f"cores {n}"))  # type: ignore[misc]
    publisher.offer("host", lambda: said.append("host"))
    slow.set()
    until(lambda: len(said) == 2)
    assert said == ["cores 99", "host"]


def test_what_cannot_be_said_stops_nothing_else(
    publisher: LatestPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []

    def fail() -> None:
        raise OSError("away")

    with caplog.at_level(logging.ERROR):
        publisher.offer("cores", fail)
        publisher.offer("host", lambda: said.append("host"))
        until(lambda: said == ["host"])
    assert "cores was not published" in caplog.text


def test_it_stops_at_once_when_it_has_nothing_to_say() -> None:
    made = LatestPublisher()
    made.start()
    began = time.monotonic()
    made.stop(timeout_s=60)
    assert time.monotonic() - began < 30
