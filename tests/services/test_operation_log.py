from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Operation, Target
from devices.services import operation_log
from devices.services.operation_log import LogFilter
from tests.rows import a_device, a_host

pytestmark = pytest.mark.django_db


def _operation(kind: str = "add", state: str = "succeeded", **values: object) -> Operation:
    now = timezone.now()
    given = {"count": 1, "created_at": now - timedelta(seconds=60), **values}
    ended = None if state == "running" else now - timedelta(seconds=51)
    return Operation.objects.create(kind=kind, state=state, ended_at=ended, **given)


def test_the_log_is_newest_first_counts_outcomes_and_says_how_long() -> None:
    host = a_host()
    operation = _operation(state="partly", count=4)
    for outcome in ("done", "done", "failed", "cancelled"):
        Target.objects.create(operation=operation, device=a_device(host), outcome=outcome)
    running = _operation(kind="reboot", state="running")
    first, second = operation_log.page(LogFilter()).entries
    assert (first.operation, second.operation) == (running, operation)
    assert (second.done, second.failed, second.cancelled, second.pending) == (2, 1, 1, 0)
    assert second.seconds == pytest.approx(9, abs=0.5)
    assert first.seconds >= 60


def test_filters_leave_out_what_does_not_match_and_strange_ones_are_none() -> None:
    ada = User.objects.create_user("ada")
    _operation(actor=ada)
    _operation(kind="reboot", state="failed", actor=ada)
    _operation(kind="reboot")

    def found(**given: str) -> int:
        return operation_log.page(LogFilter.parse(given)).total

    assert found() == 3
    assert found(kind="reboot") == 2
    assert found(kind="reboot", state="failed") == 1
    assert found(actor="ada") == 2
    assert found(actor="nobody") == 0
    assert found(kind="<b>", state="x") == 3
    assert operation_log.actors() == ["ada"]


def test_a_page_of_many_large_operations_takes_as_few_queries_as_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    host = a_host()
    devices = [a_device(host) for _ in range(3)]
    for _ in range(30):
        operation = _operation(count=3)
        Target.objects.bulk_create(Target(operation=operation, device=d) for d in devices)
    with django_assert_num_queries(3):
        page = operation_log.page(LogFilter())
    assert (len(page.entries), page.total, page.pages) == (25, 30, 2)
    assert page.entries[0].pending == 3
    beyond = operation_log.page(LogFilter(), 99)
    assert (beyond.page, len(beyond.entries)) == (2, 5)


def test_of_the_devices_those_that_failed_come_first() -> None:
    host = a_host()
    operation = _operation(count=5)
    for outcome in ("done", "cancelled", "pending", "failed", "done"):
        Target.objects.create(operation=operation, device=a_device(host), outcome=outcome)
    page = operation_log.targets(operation.id)
    assert [t.outcome for t in page.targets] == ["failed", "pending", "cancelled", "done", "done"]
    assert page.counts == {"failed": 1, "pending": 1, "cancelled": 1, "done": 2}
    only = operation_log.targets(operation.id, outcome="done")
    assert (len(only.targets), only.total) == (2, 2)


def test_who_tried_again() -> None:
    operation = _operation(state="failed")
    again = _operation(retry_of=operation)
    assert operation_log.retries(operation.id) == [again.id]
    assert operation_log.retries(again.id) == []
