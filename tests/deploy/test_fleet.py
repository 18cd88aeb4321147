"""What bin/up and bin/down promise, on a fleet they started."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fleetdash.deploy.processes import DECLARED
from tests.fleet import Fleet, new_fleet, remove

BACK_WITHIN_S = 20.0

pytestmark = [pytest.mark.guest, pytest.mark.timeout(600)]


def wait_for(what: Callable[[], bool], deadline_s: float) -> None:
    """Return when it is so; fails when it is not in time."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < deadline_s, "it did not come to be"
        time.sleep(0.02)


def is_another(fleet: Fleet, name: str, pid: int) -> bool:
    now = fleet.processes().get(name)
    return now is not None and now.pid != pid


def ready(fleet: Fleet) -> bool:
    try:
        fleet.api("GET", "summary")
    except OSError:
        return False
    return True


def test_a_second_up_says_where_it_runs_and_starts_nothing(fleet: Fleet) -> None:
    wait_for(lambda: set(fleet.processes()) == {*DECLARED, "supervisord"}, 30)
    before = fleet.processes()
    began = time.monotonic()
    done = fleet.run("bin/up", "--detach")
    assert done.returncode == 0
    assert f"runs already: {fleet.url}" in done.stdout
    assert "started with" not in done.stdout
    assert time.monotonic() - began < 60
    assert fleet.processes() == before


def test_a_start_that_was_interrupted_before_the_accounts_is_gone_on_with(fleet: Fleet) -> None:
    before, password = fleet.processes(), fleet.admin_password
    token = fleet.token
    stale = {"url": "http://127.0.0.1:1", "token": token}
    (fleet.var / "secrets" / "cli.json").write_text(json.dumps(stale))
    run = fleet.var / "run"
    (run / "unfinished").write_text((run / "start").read_text())
    output = fleet.up()
    assert "did not come to its end" in output
    assert f"runs already: {fleet.url}" in output
    assert ready(fleet)
    now = (fleet.processes(), fleet.admin_password, fleet.token)
    assert now == (before, password, token)


def test_the_password_is_shown_once_and_kept_nowhere(fleet: Fleet) -> None:
    assert fleet.output.count(fleet.admin_password) == 1
    for place in ("log", "run", "secrets"):
        for file in (fleet.var / place).rglob("*"):
            if file.is_file():
                assert fleet.admin_password.encode() not in file.read_bytes(), file


def test_no_secret_is_on_a_command_line_or_in_a_log(fleet: Fleet) -> None:
    secret_key = (fleet.var / "secrets" / "secret_key").read_text().strip()
    said = [Path(f"/proc/{each.pid}/cmdline").read_bytes() for each in fleet.processes().values()]
    said += [log.read_bytes() for log in (fleet.var / "log").iterdir()]
    for secret in (secret_key, fleet.token):
        assert not [each for each in said if secret.encode() in each]


def test_each_process_may_open_a_file_for_each_of_many_guests(fleet: Fleet) -> None:
    for name, record in fleet.processes().items():
        if name in ("web", "gateway", "worker", "poller"):
            limits = Path(f"/proc/{record.pid}/limits").read_text()
            soft, hard = re.findall(r"^Max open files\s+(\d+)\s+(\d+)", limits, re.M)[0]
            assert soft == hard, name
            assert int(soft) >= 4096, name


@pytest.mark.skipif(os.geteuid() != 0, reason="without root all run as one user")
@pytest.mark.skipif(os.geteuid() != 0, reason="without root nobody comes before others")
def test_ours_come_before_guests_and_guests_do_not_inherit_that(fleet: Fleet) -> None:
    found = fleet.processes()
    for name in ("web", "gateway", "redis", "poller"):
        assert os.getpriority(os.PRIO_PROCESS, found[name].pid) == -5, name
    assert os.getpriority(os.PRIO_PROCESS, found["worker"].pid) == 0
    group = Path(f"/proc/{found['web'].pid}/autogroup")
    if group.exists():
        assert group.read_text().split()[1:] == ["nice", "-10"]


def test_each_process_runs_as_who_it_should(fleet: Fleet) -> None:
    running = fleet.processes()
    assert set(running) == {*DECLARED, "supervisord"}
    for name, record in running.items():
        status = Path(f"/proc/{record.pid}/status").read_text()
        uids = re.findall(r"^Uid:\s+(.*)$", status, re.M)[0].split()
        keeps_root = name == "supervisord" or DECLARED[name].keeps_root
        assert (set(uids) == {"0"}) is keeps_root, name
        if not keeps_root:
            assert "NoNewPrivs:\t1" in status
            assert re.findall(r"^CapEff:\s+0+$", status, re.M), name


def test_another_fleet_on_a_taken_port_starts_nothing(fleet: Fleet) -> None:
    other = new_fleet()
    other.port = fleet.port
    try:
        done = other.run("bin/up", "--detach")
        assert done.returncode == 1
        holder = fleet.processes()["web"].pid
        assert f"Port {fleet.port} on 127.0.0.1 is taken by" in done.stderr
        assert f"(process {holder})" in done.stderr
        assert "FLEETDASH_PORT" in done.stderr
        assert "Traceback" not in done.stderr
        assert other.processes() == {}
        # merging is the machine's: the fleet that runs may be about to take it up
        assert set(other.leftovers()) <= {"settings of the kernel's merging"}
    finally:
        remove(other)


@pytest.mark.parametrize("name", [*DECLARED, "supervisord"])
def test_whatever_is_killed_is_back_within_seconds(fleet: Fleet, name: str) -> None:
    before = fleet.processes()
    before[name].identity.signal(signal.SIGKILL)
    wait_for(lambda: is_another(fleet, name, before[name].pid), BACK_WITHIN_S)
    # a new supervisor puts processes of its own in the place of the former one's
    for each in before if name == "supervisord" else ():
        wait_for(partial(is_another, fleet, each, before[each].pid), 30)
    wait_for(lambda: set(fleet.processes()) == {*DECLARED, "supervisord"} and ready(fleet), 30)


def test_up_after_the_supervisor_was_stopped_for_good_replaces_its_orphans(fleet: Fleet) -> None:
    # neither of the two that start things again is left
    marker = fleet.var / "run" / "stopping"
    marker.touch()
    processes = fleet.processes()
    processes["supervisord"].identity.signal(signal.SIGKILL)
    processes["watchdog"].identity.signal(signal.SIGKILL)
    wait_for(lambda: "supervisord" not in fleet.processes(), 30)
    orphans = {name: record.pid for name, record in fleet.processes().items()}
    assert "web" in orphans
    output = fleet.up()
    assert "are replaced" in output
    assert "password" not in output
    now = fleet.processes()
    assert set(now) == {*DECLARED, "supervisord"}
    assert not {now[name].pid for name in orphans} & set(orphans.values())
    assert ready(fleet)
