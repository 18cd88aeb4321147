from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from devices.models import Operation
from devices.services import history

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/history"


@pytest.fixture
def now_s(a_fleet: str) -> int:
    """The beginning of the running step, for which the fleet and its host have figures."""
    now_s = history.FINEST.begin(time.time())
    for back in (15, 0):
        figures: Any = {history.FLEET: {"online": back}, a_fleet: {"online": 7}}
        history.write(now_s - back, figures)
    return now_s


def test_figures_come_in_columns_with_their_gaps(client: Client, now_s: int) -> None:
    shown = client.get(ADDRESS).json()
    assert (shown["series"], shown["window"], shown["step_s"]) == ("", "hour", 5)
    assert shown["at"] == [now_s - 15, now_s - 10, now_s - 5, now_s]
    assert shown["figures"]["online"] == {
        "mean": [15.0, None, None, 0.0], "least": None, "most": None,
    }


def test_a_hosts_figures_and_only_what_is_new(client: Client, now_s: int) -> None:
    query: dict[str, Any] = {"series": "here", "after": now_s - 15}
    shown = client.get(ADDRESS, query).json()
    assert (shown["at"], shown["figures"]["online"]["mean"]) == ([now_s], [7.0])


def test_operations_of_the_window_are_marks(client: Client, user: User, now_s: int) -> None:
    def asked(seconds_ago: int, **values: Any) -> Operation:
        at = timezone.now() - timedelta(seconds=seconds_ago)
        return Operation.objects.create(count=3, created_at=at, actor=user, **values)

    asked(4000, kind="add")
    ended = asked(60, kind="add", state="succeeded", ended_at=timezone.now())
    running = asked(50, kind="reboot")
    ended_at = timezone.now() - timedelta(seconds=30)
    old = asked(40, kind="tag", state="failed", ended_at=ended_at)
    shown = client.get(ADDRESS).json()["operations"]
    assert [mark["id"] for mark in shown] == [ended.id, running.id, old.id]
    assert (shown[0]["kind"], shown[0]["actor"], shown[0]["state"]) == ("add", "ada", "succeeded")
    new = client.get(ADDRESS, {"after": now_s - 10}).json()["operations"]
    assert [mark["id"] for mark in new] == [ended.id, running.id]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"series": "nowhere"}, 404, "There is no host nowhere."),
        ({"window": "year"}, 422, "window"),
        ({"after": -1}, 422, "after"),
    ],
)
def test_a_strange_question_is_answered_with_a_sentence(
    client: Client, a_fleet: str, query: dict[str, Any], status: int, said: str
) -> None:
    answer = client.get(ADDRESS, query)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_stranger_is_told_nothing(db: None) -> None:
    assert Client().get(ADDRESS).status_code == 401
