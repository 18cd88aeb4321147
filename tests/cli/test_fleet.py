from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from tests.api.served import CHECKOUT, ROWS, Served, free_port
from tests.cli.conftest import Run, environment, run_fleet

MOVE = """
from devices.models import Device
from devices.services import transitions
from devices.states import State
ids = list(Device.objects.filter(state="requested").values_list("id", flat=True))
transitions.move(ids, old=State.REQUESTED, new=State.SPAWNING)
transitions.move(ids[:{online}], old=State.SPAWNING, new=State.ONLINE)
transitions.move(ids[{online}:], old=State.SPAWNING, new=State.FAILED, reason="qemu \\x1b is gone")
"""


def asleep(process: subprocess.Popen[str]) -> None:
    """Return when a command sleeps until it asks again, so that it has its answer.

    After 3 s too: some kernels do not say what a process waits for.
    """
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if "nanosleep" in Path(f"/proc/{process.pid}/wchan").read_text():
            return
        time.sleep(0.02)


def eventually_requested(web: Served, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if web.rows("select count(*) from devices_device where state='requested'") == [(count,)]:
            return
        time.sleep(0.05)
    raise AssertionError("nothing was requested: " + web.log())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["add"],
        ["add", "0"],
        ["add", "-1"],
        ["add", "1.5"],
        ["add", "ten"],
        ["add", "10001"],
        ["add", "٣"],
        ["remove"],
        ["remove", "0"],
        ["remove", "1.5"],
        ["remove", "1", "2"],
        ["remove", "1", "fd-000001"],
        ["ls", "--state", "asleep"],
        ["show"],
        ["wait"],
        ["wait", "--online", "x"],
        ["wait", "--online", "1", "--timeout", "-1"],
        ["cancel", "x"],
        ["cancel", "0"],
        ["rehearse", "--count", "0"],
        ["show", "fd-000001", "--console", "--json"],
    ],
)
def test_asked_wrongly_it_is_2_and_a_sentence(arguments: list[str], tmp_path: Path) -> None:
    done = run_fleet(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "usage: fleet" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_fleet_it_is_1_and_says_what_to_do(tmp_path: Path) -> None:
    done = run_fleet("status", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "run bin/up first" in done.stderr


def test_an_address_where_nothing_answers_is_said(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = run_fleet("status", folder=tmp_path, FLEETDASH_URL=url, FLEETDASH_TOKEN="x")
    assert done.returncode == 1
    assert done.stderr.startswith(f"fleet: Nothing answers at {url}: run bin/up")


def test_a_refused_token_is_said(web: Served, run: Run) -> None:
    done = run("status", FLEETDASH_TOKEN="fdt_wrong")
    assert done.returncode == 1
    assert "The token is unknown" in done.stderr


def test_an_empty_fleet(empty: Served, run: Run) -> None:
    assert run("ls").stdout == "No devices yet. Add some: bin/fleet add 10\n"
    said = run("status").stdout
    assert said.startswith("0 online of 0; ")
    assert "here: x64, 2 cores, 24.0 GiB" in said
    removed = run("remove", "1")
    assert (removed.returncode, "no device left" in removed.stderr) == (1, True)


def test_it_adds_and_waits_until_they_are_online(empty: Served, run: Run) -> None:
    with ThreadPoolExecutor(1) as pool:
        adding: Future[subprocess.CompletedProcess[str]] = pool.submit(run, "add", "2", "--cold")
        eventually_requested(empty, 2)
        empty.python(MOVE.format(online=2))
        done = adding.result()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("2 of 2 online in ")
    assert "\x1b" not in done.stdout
    listed = run("ls").stdout.splitlines()
    assert listed[0].split()[:2] == ["SERIAL", "STATE"]
    assert [line.split()[1] for line in listed[1:]] == ["online", "online"]
    assert [d["state"] for d in json.loads(run("ls", "--json").stdout)] == ["online", "online"]
    waited = run("wait", "--online", "2", "--timeout", "5", "--json")
    found = json.loads(waited.stdout)
    assert (waited.returncode, found["online"], found["reached"]) == (0, 2, True)


def test_what_partly_fails_is_1_and_says_why(empty: Served, run: Run) -> None:
    with ThreadPoolExecutor(1) as pool:
        adding: Future[subprocess.CompletedProcess[str]] = pool.submit(run, "add", "3")
        eventually_requested(empty, 3)
        empty.python(MOVE.format(online=1))
        done = adding.result()
    assert done.returncode == 1
    assert "1 of 3 online, 2 failed in " in done.stdout
    assert done.stdout.count(": qemu � is gone") == 2


def test_more_than_fits_is_refused_with_a_sentence(empty: Served, run: Run) -> None:
    done = run("add", "10000")
    assert done.returncode == 1
    assert "10,000 more devices do not fit" in done.stderr
    assert empty.rows("select count(*) from devices_device") == [(0,)]


def test_an_addition_is_begun_cancelled_and_not_cancelled_twice(empty: Served, run: Run) -> None:
    begun = run("add", "2", "--no-wait")
    assert begun.returncode == 0
    number = begun.stdout.split(":")[0].removeprefix("operation ")
    assert "operation" in run("status").stdout
    assert run("cancel", number).stdout == "0 of 2 online, 2 cancelled\n"
    again = run("cancel", number)
    assert (again.returncode, "has ended already" in again.stderr) == (1, True)


def test_devices_are_removed_by_serial(empty: Served, run: Run) -> None:
    empty.python(ROWS + "devices(['fd-000001', 'fd-000002'], 'online')")
    done = run("remove", "fd-000002", "--no-wait")
    assert done.returncode == 0, done.stderr
    assert empty.rows("select serial from devices_device where state = 'stopping'") == [
        ("fd-000002",)
    ]
    unknown = run("remove", "fd-9")
    assert (unknown.returncode, "fd-9" in unknown.stderr) == (1, True)


def test_a_device_is_shown(empty: Served, run: Run) -> None:
    command_line = ["qemu", "-m", "128", "-name", "a b"]
    empty.python(ROWS + f"devices(['fd-000001'], 'online', command_line={command_line})")
    with redis.Redis.from_url(empty.environment["REDIS_URL"]) as client:
        client.set("fleet:console:fd-000001", b"fleetdash: online\r\n\x1b[2J")
    said = run("show", "fd-000001").stdout
    assert "state      online since" in said
    assert "    -m 128 \\\n    -name 'a b'\n" in said
    assert json.loads(run("show", "fd-000001", "--json").stdout)["command_line"][0] == "qemu"
    assert "fleetdash: online" in run("show", "fd-000001", "--console").stdout
    unknown = run("show", "../tokens")
    assert unknown.returncode == 1
    assert "Traceback" not in unknown.stderr


def test_waiting_in_vain_is_1_and_says_how_far_it_came(empty: Served, run: Run) -> None:
    empty.python(ROWS + "devices(['fd-000001'], 'online'); devices(['fd-000002'], 'booting')")
    done = run("wait", "--online", "2", "--timeout", "0.5")
    assert done.returncode == 1
    assert "Only 1 of 2 devices are online after 0.5 s: 1 booting." in done.stderr


def test_ctrl_c_leaves_the_operation_running_and_says_how_to_cancel(empty: Served) -> None:
    process = subprocess.Popen(
        [str(CHECKOUT / "bin" / "fleet"), "add", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(FLEETDASH_VAR=str(empty.folder)),
    )
    assert process.stdout is not None
    first = process.stdout.readline()  # said when it has begun to watch
    process.send_signal(signal.SIGINT)
    more, said = process.communicate(timeout=60)
    number = empty.rows("select id from devices_operation")[0][0]
    assert (process.returncode, first, more) == (130, f"operation {number}: 0 of 1 online\n", "")
    assert f"Operation {number} goes on. Cancel it with: bin/fleet cancel {number}" in said
    assert empty.rows("select state from devices_operation") == [("running",)]


def test_on_a_terminal_there_is_a_bar(empty: Served) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(CHECKOUT / "bin" / "fleet"), "add", "2"],
        stdout=theirs,
        stderr=theirs,
        env=environment(FLEETDASH_VAR=str(empty.folder), TERM="xterm"),
    )
    os.close(theirs)
    eventually_requested(empty, 2)
    said = b""
    while "━".encode() not in said:
        said += os.read(ours, 4096)
    empty.python(MOVE.format(online=2))
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:  # the other side of the terminal is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"2 of 2 online in " in said


def test_a_web_process_that_restarts_meanwhile_is_waited_for(empty: Served, run: Run) -> None:
    daphne = empty.processes[-1]
    with ThreadPoolExecutor(1) as pool:
        adding: Future[subprocess.CompletedProcess[str]] = pool.submit(run, "add", "1")
        eventually_requested(empty, 1)
        daphne.kill()
        daphne.wait()
        empty.processes.remove(daphne)
        try:
            time.sleep(1)
            empty.python(MOVE.format(online=1))
        finally:
            empty.start(*[str(part) for part in daphne.args])  # type: ignore[union-attr]
            empty.wait_until_listening()
        done = adding.result()
    assert done.returncode == 0, done.stderr
    assert "1 of 1 online" in done.stdout
