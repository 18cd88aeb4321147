from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from devices.models import Operation, Target
from devices.services.place import NoRoom, place
from devices.services.progress import percentile, rate_and_eta, view
from tests.rows import a_device, a_host


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.95) == 95.0
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.5) is None


def test_the_time_left_follows_the_last_half_minute() -> None:
    rate, eta = rate_and_eta(done=32, last_s=99.0, lately=30, now_s=100.0, pending=60)
    assert rate == pytest.approx(32 / 99)
    assert eta == pytest.approx(60.0)


def test_no_time_left_is_claimed_while_nothing_happens() -> None:
    assert rate_and_eta(done=1, last_s=1.0, lately=0, now_s=100.0, pending=5)[1] is None
    assert rate_and_eta(done=0, last_s=0.0, lately=0, now_s=5.0, pending=5) == (0.0, None)
    assert rate_and_eta(done=0, last_s=0.0, lately=0, now_s=5.0, pending=0) == (0.0, 0.0)


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_server", "standing_clock")
def test_the_database_finds_what_counting_by_hand_finds() -> None:
    host, now = a_host(), timezone.now()
    operation = Operation.objects.create(
        kind="add", count=50, created_at=now - timedelta(seconds=100)
    )
    after_s = [3.0 * n for n in range(1, 34)]
    for n in range(50):
        done = n < len(after_s)
        Target.objects.create(
            operation=operation, device=a_device(host), outcome="done" if done else "pending",
            ended_at=operation.created_at + timedelta(seconds=after_s[n]) if done else None,
        )
    found = view(operation)
    assert (found.done, found.pending) == (33, 17)
    assert found.p50_s == pytest.approx(percentile(after_s, 0.5))
    assert found.p95_s == pytest.approx(percentile(after_s, 0.95))
    assert found.rate_per_s == pytest.approx(33 / 99)
    lately = sum(1 for s in after_s if s >= 70)
    assert found.eta_s == pytest.approx(17 * 30 / lately, rel=0.01)


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_server")
def test_devices_that_are_deleted_while_they_are_counted_are_no_fault() -> None:
    now = timezone.now()
    operation = Operation.objects.create(kind="add", count=1, created_at=now)
    Target.objects.create(
        operation=operation, device=a_device(a_host()), outcome="done", ended_at=now
    )

    def delete(execute: Any, *statement: Any) -> Any:
        answer = execute(*statement)
        if "COUNT" in statement[0]:
            Target.objects.filter(operation=operation).delete()
        return answer

    with connection.execute_wrapper(delete):
        found = view(operation)
    assert (found.done, found.p50_s, found.p95_s) == (1, None, None)


def test_devices_go_where_there_is_most_room() -> None:
    assert place(4, {"a": 4, "b": 2}) == ["a", "a", "a", "b"]
    assert place(1, {"a": 0, "b": 1}) == ["b"]


def test_more_than_all_room_is_refused() -> None:
    with pytest.raises(NoRoom):
        place(4, {"a": 1, "b": 2})


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_server")
def test_an_operation_that_has_ended_is_counted_once(
    django_assert_num_queries: Callable[[int], AbstractContextManager[object]],
) -> None:
    now = timezone.now()
    operation = Operation.objects.create(kind="add", count=1, created_at=now)
    target = Target.objects.create(operation=operation, device=a_device(a_host()))
    with django_assert_num_queries(2):
        assert view(operation).pending == 1
    Target.objects.filter(id=target.id).update(outcome="done", ended_at=now)
    Operation.objects.update(state="succeeded", ended_at=now)
    with django_assert_num_queries(5):
        assert [view(Operation.objects.get()).done for _ in range(2)] == [1, 1]
