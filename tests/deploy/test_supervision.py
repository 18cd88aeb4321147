"""The supervisor itself, with a process that sleeps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetdash.deploy import records, supervision
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.processes import Process


@pytest.fixture
def var(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A short path, for there is a socket in it, with what a configuration may misunderstand."""
    folder = tmp_path_factory.mktemp("v") / "50%d of 'us'"
    for name in ("run/supervisor", "log"):
        (folder / name).mkdir(parents=True)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    yield folder
    for supervisor in started:
        supervisor.terminate()
        supervisor.wait(timeout=60)


def test_a_path_may_have_any_name_and_what_happens_is_in_the_log_that_is_rotated(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = var / "sleep er"
    sleeper.symlink_to("/bin/sleep")
    monkeypatch.setattr(supervision, "start_command", lambda *_: [str(sleeper), "60"])
    text = supervision.configuration(var, var, [Process("web", lambda: [])], as_root=False)
    (var / "run" / "supervisord.conf").write_text(text)
    supervision.start(var, var)
    log = var / "log" / "supervisord.log"
    until = time.monotonic() + 30
    while "entered RUNNING state" not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)
    assert supervision.states(var / "run") == {"web": "RUNNING"}
    assert (var / "log" / "supervisord.out").read_text() == ""


@pytest.mark.parametrize("ended", ["soon", "at once"])
def test_one_that_does_not_start_is_told_with_its_last_words_wherever_it_said_them(
    var: Path, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    program, log = var / "python", var / "log" / "supervisord.log"
    program.write_text(f'#!/bin/sh\necho "too little memory" >>"{log}"\necho "a fault"; exit 1\n')
    program.chmod(0o755)
    log.write_text("of an earlier start\n")
    monkeypatch.setattr(sys, "executable", str(program))
    write = records.write

    def wait_and_write(run: Path, name: str, pid: int) -> records.Record:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return write(run, name, pid)

    if ended == "at once":
        monkeypatch.setattr(records, "write", wait_and_write)
    with pytest.raises(DeployError) as raised:
        supervision.start(var, var)
    assert str(raised.value).endswith("it said: too little memory\na fault")
