"""Whether those who watch still may: asked now and then, and survived when it cannot be."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.db import OperationalError

from devices.live import admissions
from devices.live.admissions import Admissions
from devices.live.viewer import Viewer

pytestmark = pytest.mark.asyncio


class Door:
    """A clock, and a database that can be away."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.over: set[str] = set()
        self.asked: list[str] = []
        self.away = False
        self.closed: list[str] = []
        self.admissions = Admissions(self._ask, clock=lambda: self.now_s)

    async def _ask(self, names: Iterable[str]) -> frozenset[str]:
        if self.away:
            raise OperationalError("the database is away")
        asked = frozenset(names)
        self.asked += sorted(asked)
        return asked & self.over

    def enter(self, admission: str) -> Viewer:
        viewer = Viewer(frozenset(), lambda slot, state: "")
        self.admissions.enter(viewer, admission, lambda: self.closed.append(admission))
        return viewer

    async def later(self, s: float) -> None:
        self.now_s += s
        await self.admissions.look()


@pytest.fixture
def door() -> Door:
    return Door()


async def test_whose_session_is_over_is_shown_out_within_a_minute_and_no_other(door: Door) -> None:
    for admission in ("session:a", "session:a", "session:b"):
        door.enter(admission)
    door.over = {"session:a"}
    await door.later(admissions.SESSION_EVERY_S)
    assert door.closed == ["session:a"] * 2
    assert door.asked == ["session:a", "session:b"]  # once for all their screens
    await door.later(admissions.SESSION_EVERY_S)
    assert door.closed == ["session:a"] * 2
    assert door.asked[2:] == ["session:b"]


async def test_a_link_is_asked_about_every_few_seconds_a_session_is_not(door: Door) -> None:
    door.enter("session:a")
    door.enter("link:7")
    for _ in range(3):
        await door.later(admissions.LINK_EVERY_S)
    assert door.asked == ["link:7"] * 3


async def test_a_database_that_is_away_shows_nobody_out_and_is_asked_again(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.enter("link:7")
    door.over, door.away = {"link:7"}, True
    for _ in range(3):
        await door.later(admissions.LINK_EVERY_S)
    assert not door.closed
    assert len(caplog.records) == 1
    door.away = False
    await door.later(admissions.TURN_S)
    assert door.closed == ["link:7"]


async def test_who_has_left_is_not_asked_about(door: Door) -> None:
    door.admissions.leave(door.enter("session:a"))
    await door.later(admissions.SESSION_EVERY_S)
    assert not door.asked


async def test_when_a_word_may_have_been_lost_all_are_asked_about_a_few_at_a_time(
    door: Door,
) -> None:
    number = admissions.AT_ONCE + 1
    for each in range(number):
        door.enter(f"session:{each}")
    door.admissions.doubt()
    await door.later(0.0)
    assert len(door.asked) == admissions.AT_ONCE
    await door.later(admissions.TURN_S)
    assert len(set(door.asked)) == len(door.asked) == number
