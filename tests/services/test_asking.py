from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from devices.errors import Conflict
from devices.models import Device, Operation
from devices.services import acting, bus, operations, summary, transitions
from devices.services.matching import Filter
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def two(redis_server: object) -> list[Device]:
    host = a_host("here")
    a_firmware()
    bus.publish_host_sample("here", a_sample())
    return [a_device(host, serial=f"fd-{n}") for n in (1, 2)]


def act(kind: str = "reboot", **which: Any) -> Callable[[User], Operation]:
    return lambda actor: acting.request(kind, actor=actor, idempotency_key="k", **which)


def add(**what: Any) -> Callable[[User], Operation]:
    return lambda actor: operations.request_add(actor=actor, idempotency_key="k", **what)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (act(serials=["fd-1"]), act(serials=["fd-2"])),
        (act(serials=["fd-1"]), act("power_off", serials=["fd-1"])),
        (act(serials=["fd-1", "fd-2"]), act(matching=Filter())),
        (act(matching=Filter(search="1")), act(matching=Filter(search="2"))),
        (
            act("tag", serials=["fd-1"], parameters={"add": ["a"]}),
            act("tag", serials=["fd-1"], parameters={"add": ["b"]}),
        ),
        (add(count=1), add(count=1, start="cold")),
        (add(count=1), add(count=2)),
        (
            lambda ada: operations.request_remove(count=1, actor=ada, idempotency_key="k"),
            act("remove", serials=["fd-1"]),
        ),
    ],
)  # fmt: skip
def test_a_key_stands_for_one_wish_of_one_person(
    two: list[Device], first: Callable[[User], Operation], other: Callable[[User], Operation]
) -> None:
    ada, bob = (User.objects.create_user(name) for name in ("ada", "bob"))
    done = first(ada)
    assert first(ada).id == done.id
    with pytest.raises(Conflict, match="was used for"):
        other(ada)
    assert Operation.objects.count() == 1
    assert other(bob).actor_id == bob.pk


def test_serials_in_another_order_are_the_same_wish(two: list[Device]) -> None:
    ada = User.objects.create_user("ada")
    done = act(serials=["fd-1", "fd-2"])(ada)
    assert act(serials=["fd-2", "fd-1", "fd-2"])(ada).id == done.id


def test_a_summary_has_all_that_runs_and_then_the_newest(two: list[Device]) -> None:
    def shown() -> list[tuple[int, str]]:
        return [(each["id"], each["state"]) for each in summary.summary()["operations"]]

    running = acting.request("reboot", serials=["fd-1"], actor=None)
    tags = [
        acting.request("tag", serials=["fd-1"], parameters={"add": [f"t{n}"]}, actor=None)
        for n in range(6)
    ]
    newest = [(each.id, "succeeded") for each in reversed(tags)]
    assert shown() == [(running.id, "running"), *newest[:4]]
    ids = [
        acting.request("shut_down", serials=["fd-2"], actor=None).id for _ in range(5)
    ]
    assert shown() == [(id, "running") for id in [*reversed(ids), running.id]]
    transitions.move([two[1].id], old=State.ONLINE, new=State.STOPPING)
    assert shown() == [(running.id, "running"), *((id, "cancelled") for id in ids[:0:-1])]
