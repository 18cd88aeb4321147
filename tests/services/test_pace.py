from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Operation, Target
from devices.services import pace
from devices.services.pace import Course, estimate_s
from tests.rows import a_device, a_host

THOUSAND = Course(count=1000, first_s=2.0, last_s=41.96)
HUNDRED = Course(count=100, first_s=1.0, last_s=10.9)
ONE = Course(count=1, first_s=3.7, last_s=3.7)


def test_what_one_device_took_says_nothing_of_a_thousand() -> None:
    assert estimate_s(1000, []) is None
    assert estimate_s(1000, [ONE, Course(count=99, first_s=1.0, last_s=9.0)]) is None
    assert estimate_s(10, [ONE]) == 3.7


def test_the_newest_addition_of_about_that_size_says_how_long_it_takes() -> None:
    assert estimate_s(1000, [ONE, HUNDRED]) == pytest.approx(100.9)
    assert estimate_s(1000, [ONE, HUNDRED, THOUSAND]) == pytest.approx(41.96)
    slower = Course(count=900, first_s=2.0, last_s=91.9)
    assert estimate_s(1000, [slower, THOUSAND]) == pytest.approx(101.9)


def test_fewer_take_less_but_not_less_than_the_first() -> None:
    assert estimate_s(100, [THOUSAND]) == pytest.approx(2.0 + 99 * 0.04)
    assert estimate_s(1, [THOUSAND]) == 2.0


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_server")
def test_additions_are_found_however_much_else_was_asked_since() -> None:
    host, now = a_host(), timezone.now()

    def asked(
        kind: str, after_s: list[float], parameters: dict[str, str], *, ended: bool = True
    ) -> None:
        operation = Operation.objects.create(
            kind=kind, count=len(after_s), created_at=now, parameters=parameters,
            ended_at=now + timedelta(seconds=99) if ended else None,
        )
        for seconds in after_s:
            done = seconds < 60
            Target.objects.create(
                operation=operation, device=a_device(host),
                outcome="done" if done else "failed", ended_at=now + timedelta(seconds=seconds),
            )

    arm64 = {"start": "warm", "architecture": "arm64"}
    asked("add", [2.0, 4.0, 90.0], arm64)
    asked("add", [30.0], arm64 | {"start": "cold"})
    asked("add", [9.0], arm64 | {"architecture": "x64"})
    asked("add", [90.0], arm64)
    asked("add", [1.0], arm64, ended=False)
    for _ in range(12):
        asked("tag", [0.0], {})
    assert pace.courses("arm64") == [Course(count=2, first_s=2.0, last_s=4.0)]
    assert pace.courses("x64") == [Course(count=1, first_s=9.0, last_s=9.0)]
