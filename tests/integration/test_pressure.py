"""A host that runs short of memory, and guests that die together, through the running system."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from devices.host import cgroup, endings, memory
from fleetdash.deploy import guests
from tests.fleet import ApiError, Fleet
from tests.hog import hog
from tests.integration.test_life import operate, processes, wait_until

pytestmark = pytest.mark.guest

MIB = 1 << 20
RESERVE = "FLEETDASH_MEMORY_RESERVE_MIB"
# far more than the devices asked for take, whatever else goes on, so that they fit again afterwards
MOST_ABOVE_MIB = 3000
ASKED = 120


@pytest.fixture(autouse=True)
def emptied(fleet: Fleet) -> Any:
    """Each test starts without devices and leaves none."""
    wait_until(fleet.template_is_ready, 90)
    yield
    if fleet.api("GET", "summary")["total"]:
        operate(fleet, "remove", 10_000)


def again(fleet: Fleet, **environment: str) -> None:
    """The same fleet with other settings; its guests are kept and adopted."""
    kept = guests.of_devices(fleet.var)
    fleet.more_environment = environment
    assert f"{len(kept)} guests run on" in fleet.down("--keep-guests")
    assert fleet.processes() == {}
    assert guests.of_devices(fleet.var) == kept
    fleet.up()
    assert guests.of_devices(fleet.var) == kept
    wait_until(fleet.template_is_ready, 60)


def last_heard(fleet: Fleet, serial: str) -> float:
    """When a device reported or its socket said something, in Unix seconds."""
    with redis.Redis(unix_socket_path=str(fleet.var / "redis" / "redis.sock")) as client:
        score = client.zscore("fleet:presence", serial)
    return float(score) if isinstance(score, float) else 0.0


def test_a_host_whose_memory_another_takes_refuses_and_waits_and_kills_nothing(
    fleet: Fleet,
) -> None:
    operate(fleet, "add", 2)
    before, killed = processes(fleet), endings.oom_kills()
    free_mib = memory.read(limit=cgroup.memory_limit()).available_bytes // MIB
    above_mib = min(MOST_ABOVE_MIB, free_mib // 4)
    # the rest is as good as taken: what follows needs no more than what there is above it
    again(fleet, **{RESERVE: str(free_mib - above_mib), "FLEETDASH_LAUNCH_WIDTH": "1"})
    up_again = fleet.processes()["gateway"].started_at
    try:
        # one after the other, so that not all are there before the hog has what it wants
        operation = fleet.api("POST", "operations", {"kind": "add", "count": ASKED})
        with hog(2 * above_mib / 1024):
            path = f"operations/{operation['id']}"
            wait_until(lambda: "waits for memory" in fleet.api("GET", path)["held"], 60)
            with pytest.raises(ApiError, match="1,000 more devices do not fit"):
                fleet.api("POST", "operations", {"kind": "add", "count": 1000})
            waiting = fleet.api("GET", path)["pending"]
            assert waiting > 0
        wait_until(lambda: fleet.api("GET", path)["pending"] < waiting, 60)
        fleet.api("POST", f"{path}/cancel")
        wait_until(lambda: fleet.api("GET", path)["state"] != "running", 30)
        # adopted ones can say so only through the network namespace they were born in
        wait_until(lambda: all(last_heard(fleet, each) > up_again for each in before), 90)
        assert {fleet.api("GET", f"devices/{each}")["state"] for each in before} == {"online"}
    finally:
        again(fleet)
    after = processes(fleet)
    assert {s: i for s, i in after.items() if s in before} == before
    assert fleet.api("GET", "summary")["counts"]["failed"] == 0
    assert endings.oom_kills() == killed


@pytest.fixture
def long_ago(fleet: Fleet) -> Iterator[None]:
    """The deaths of a test are long past after it, or launching would pause in the next one."""
    yield
    file = fleet.var / "db" / "fleetdash.sqlite3"
    with contextlib.closing(sqlite3.connect(file, timeout=20)) as database, database:
        database.execute(
            "UPDATE devices_event SET at = strftime('%Y-%m-%d %H:%M:%f', at, '-1 hour') "
            "WHERE cause > ''"
        )


@pytest.mark.usefixtures("long_ago")
def test_guests_that_die_together_are_one_notice_and_nothing_starts_again(fleet: Fleet) -> None:
    operate(fleet, "add", 6)
    dying = processes(fleet)
    for identity in dying.values():
        identity.signal(signal.SIGKILL)
    wait_until(lambda: fleet.api("GET", "summary")["counts"]["failed"] == 6, 10)
    (notice,) = fleet.api("GET", "summary")["notices"]
    assert notice["text"].startswith("6 guests ended at once: killed by SIGKILL")
    reason = fleet.api("GET", f"devices/{next(iter(dying))}")["reason"]
    assert "killed by SIGKILL, which nobody here sent" in reason
    assert notice["text"] in fleet.run("bin/fleet", "status").stdout
    wait_until(lambda: not list((fleet.var / "guests").glob("fd-*")), 30)
    counts = fleet.api("GET", "summary")["counts"]
    assert {state: n for state, n in counts.items() if n and state != "gone"} == {"failed": 6}
