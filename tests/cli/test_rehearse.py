from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis

from tests.api.served import CHECKOUT, Served
from tests.cli.conftest import Run, environment
from tests.cli.test_fleet import asleep, eventually_requested

# what worker and gateway do with rows, without a guest
WORKER = """
import time
import django
django.setup()
from devices.models import Device
from devices.services import transitions
from devices.states import State
def move(old, new, **columns):
    ids = list(Device.objects.filter(state=old).values_list("id", flat=True))
    transitions.move(ids, old=old, new=new, **columns)
while True:
    move(State.REQUESTED, State.SPAWNING)
    move(State.SPAWNING, State.{ends})
    move(State.STOPPING, State.GONE)
    time.sleep(0.05)
"""

PATIENT = """
import sys
from fleetdash.cli import main, rehearse
rehearse.PAGE_MS = 60_000.0
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.fixture
def fit(empty: Served) -> Iterator[Served]:
    """A fleet that says of itself that everything is well, though nothing starts its devices."""
    beats = [f"fleet:heartbeat:{name}:here" for name in ("worker", "poller", "control", "gateway")]
    ready = json.dumps({"state": "ready", "sentence": "Clones wake.", "at": 0.0})
    with redis.Redis.from_url(empty.environment["REDIS_URL"]) as client:
        client.mset({**dict.fromkeys(beats, "1"), "fleet:template:here": ready})
        yield empty
        client.delete(*beats, "fleet:template:here")


def patient(web: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `fleet rehearse` where pages may take as long as a busy machine needs."""
    return subprocess.run(
        [sys.executable, "-c", PATIENT, "rehearse", *arguments],
        env=environment(FLEETDASH_VAR=str(web.folder)),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def living(web: Served) -> int:
    (row,) = web.rows("select count(*) from devices_device where state not in ('gone', 'failed')")
    return int(row[0])


def marks(said: str, what: str) -> list[str]:
    return [line[0] for line in said.splitlines() if line[2:].startswith(what)]


def test_a_fleet_that_is_not_ready_is_left_alone(empty: Served, run: Run) -> None:
    empty.python("from tests.api.served import ROWS; exec(ROWS)")
    empty.rows("update devices_host set accelerators = '{}'")
    done = run("rehearse")
    assert done.returncode == 1, done.stderr
    for what in ("here: processes", "here: accelerator", "here: template", "control"):
        assert marks(done.stdout, what) == ["✗"], done.stdout
    assert "No word from the worker and the poller and the gateway: run bin/up." in done.stdout
    assert "Not ready: control, here: processes" in done.stdout.splitlines()[-1]
    assert empty.rows("select count(*) from devices_operation") == [(0,)]


def test_a_show_is_tried_and_cleared_away(fit: Served) -> None:
    worker = fit.start(sys.executable, "-c", WORKER.format(ends="ONLINE"))
    try:
        done = patient(fit, "--count", "2")
    finally:
        fit.stop(worker)
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    for what in ("+1 ", "+2 ", "answers", "+1,000, estimated", "−3", "capacity", "here: memory"):
        assert marks(said, what) in (["✓"], ["!"]), said
    assert marks(said, "+2 ") == ["✓"]
    assert "2 of 2 online in" in said
    assert "not known: try it with --count 100" in said
    assert said.splitlines()[-1] == "Ready: the show can begin."
    assert living(fit) == 0
    assert fit.rows("select kind, count from devices_operation order by id") == [
        ("add", 1), ("add", 2), ("remove", 3),
    ]  # fmt: skip


def test_only_what_it_added_is_removed(fit: Served) -> None:
    from tests.api.served import ROWS

    fit.python(ROWS + "devices(['fd-000001'], 'online')")
    worker = fit.start(sys.executable, "-c", WORKER.format(ends="ONLINE"))
    try:
        done = patient(fit, "--count", "1", "--json")
    finally:
        fit.stop(worker)
    said = json.loads(done.stdout)
    assert (said["ready"], done.returncode) == (True, 0)
    assert [step["online"] for step in said["steps"]] == [1]
    assert fit.rows("select serial from devices_device where state = 'online'") == [("fd-000001",)]


def test_devices_that_fail_are_said_and_removed(fit: Served, run: Run) -> None:
    worker = fit.start(sys.executable, "-c", WORKER.format(ends="FAILED"))
    try:
        done = run("rehearse", "--count", "3")
    finally:
        fit.stop(worker)
    assert done.returncode == 1
    assert marks(done.stdout, "+1 ") == ["✗"]
    # what the first could not do is not tried with more
    assert marks(done.stdout, "+3 ") == []
    assert done.stdout.splitlines()[-1] == "Not ready: +1."
    assert fit.rows("select state from devices_device") == [("gone",)]


def test_a_fleet_that_goes_away_is_a_line_too(fit: Served) -> None:
    process = subprocess.Popen(
        [str(CHECKOUT / "bin" / "fleet"), "rehearse", "--count", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(FLEETDASH_VAR=str(fit.folder)),
    )
    eventually_requested(fit, 1)
    asleep(process)
    daphne = fit.processes[-1]
    command = [str(part) for part in daphne.args]  # type: ignore[union-attr]
    fit.stop(daphne)
    try:
        said, complaint = process.communicate(timeout=60)
    finally:
        fit.start(*command)
        fit.wait_until_listening()
    assert process.returncode == 1
    assert "✗ the fleet" in said
    assert "could not be removed: Nothing answers" in complaint
    assert "Not ready: the fleet, clearing." in said
    fit.rows("delete from devices_event")
    fit.rows("delete from devices_target")
    fit.rows("delete from devices_device")


def test_ctrl_c_clears_away_what_was_begun(fit: Served) -> None:
    process = subprocess.Popen(
        [str(CHECKOUT / "bin" / "fleet"), "rehearse", "--count", "1"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(FLEETDASH_VAR=str(fit.folder)),
    )
    eventually_requested(fit, 1)
    asleep(process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Not ready: interrupted." in said
    assert living(fit) == 0
    assert fit.rows("select state from devices_operation") == [("cancelled",)]
