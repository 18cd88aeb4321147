from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from devices.host import inventory
from devices.poller.guest import GuestRef
from devices.poller.roster import RosterKeeper
from devices.poller.subscription import Subscription
from devices.poller.watch import PidfdWatch
from tests.poller.conftest import RedisServer, Sleepers, until

CHANNEL = "fleet:guests:test"


class Rows:
    """The database's side: living guests, and how often they were asked for."""

    def __init__(self) -> None:
        self.guests: list[GuestRef] = []
        self.asked = 0
        self.failing = False

    def load(self) -> list[GuestRef]:
        self.asked += 1
        if self.failing:
            raise OSError("the database is locked")
        return self.guests


@pytest.fixture
def ended() -> list[str]:
    return []


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def roster(
    private_redis: RedisServer, rows: Rows, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RosterKeeper]:
    # it stops as often as it looks up from listening
    monkeypatch.setattr("devices.poller.roster.LISTEN_S", 0.1)
    watch = PidfdWatch(ended.extend, boot_id=inventory.boot_id())
    keeper = RosterKeeper(
        watch,
        Subscription(CHANNEL, private_redis.client),
        load_guests=rows.load,
        load_pss=lambda: {"a": 25_000},
    )
    watch.start()
    yield keeper
    keeper.stop()
    watch.stop()


def listening(server: RedisServer) -> bool:
    return dict(server.client().pubsub_numsub(CHANNEL))[CHANNEL.encode()] == 1


def serials(roster: RosterKeeper) -> set[str]:
    return {guest.serial for guest in roster.guests()}


def test_it_starts_with_the_guests_of_the_database(
    roster: RosterKeeper, rows: Rows, sleepers: Sleepers
) -> None:
    rows.guests = [sleepers.start("a")]
    roster.start()
    until(lambda: serials(roster) == {"a"})
    until(lambda: roster.pss_kib() == {"a": 25_000})


def test_the_worker_tells_who_came_and_went(
    roster: RosterKeeper, private_redis: RedisServer, sleepers: Sleepers, ended: list[str]
) -> None:
    roster.start()
    until(lambda: listening(private_redis))
    redis = private_redis.client()
    redis.publish(CHANNEL, json.dumps({"started": [sleepers.start("a"), sleepers.start("b")]}))
    until(lambda: serials(roster) == {"a", "b"})
    redis.publish(CHANNEL, json.dumps({"ended": ["a"]}))
    until(lambda: serials(roster) == {"b"})
    sleepers.kill("a")
    sleepers.kill("b")
    until(lambda: ended == ["b"])


def test_nonsense_is_ignored_and_said(
    roster: RosterKeeper,
    private_redis: RedisServer,
    sleepers: Sleepers,
    caplog: pytest.LogCaptureFixture,
) -> None:
    roster.start()
    until(lambda: listening(private_redis))
    private_redis.client().publish(CHANNEL, "nonsense")
    private_redis.client().publish(CHANNEL, json.dumps({"started": [sleepers.start("a")]}))
    until(lambda: serials(roster) == {"a"})
    assert "was ignored" in caplog.text


def test_what_was_said_while_redis_was_away_is_made_up_for(
    roster: RosterKeeper, private_redis: RedisServer, rows: Rows, sleepers: Sleepers
) -> None:
    roster.start()
    # its first list, empty, is behind it: the next comes with the next connection
    until(lambda: rows.asked == 1 and listening(private_redis))
    private_redis.stop()
    rows.guests = [sleepers.start("a")]
    private_redis.start()
    until(lambda: serials(roster) == {"a"})
    until(lambda: listening(private_redis))


def test_without_redis_guests_come_from_the_database(
    roster: RosterKeeper, private_redis: RedisServer, rows: Rows, sleepers: Sleepers
) -> None:
    private_redis.stop()
    rows.guests = [sleepers.start("a")]
    roster.start()
    until(lambda: serials(roster) == {"a"})


def test_a_database_that_fails_does_not_end_the_listening(
    roster: RosterKeeper,
    private_redis: RedisServer,
    rows: Rows,
    sleepers: Sleepers,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows.failing = True
    roster.start()
    until(lambda: rows.asked == 1 and listening(private_redis))
    private_redis.client().publish(CHANNEL, json.dumps({"started": [sleepers.start("a")]}))
    until(lambda: serials(roster) == {"a"})
    assert "could not be loaded" in caplog.text
