from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleetdash.deploy import down, lock, up
from fleetdash.deploy.errors import DeployError

SHARING = (
    "from fleetdash.deploy import lock; lock.share(); "
    "import subprocess, sys; print('shared', flush=True); sys.stdin.read()"
)


def test_a_second_one_is_refused_and_told_who_is_at_work(tmp_path: Path) -> None:
    var = tmp_path / "var"
    refused = pytest.raises(DeployError, match=rf"at work here \(process {os.getpid()}\)")
    with lock.held(var), refused, lock.held(var):
        pass
    with lock.held(var):
        pass


def test_what_is_started_meanwhile_does_not_hold_it(tmp_path: Path) -> None:
    with lock.held(tmp_path):
        child = subprocess.Popen(["sleep", "60"])
    try:
        with lock.held(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_the_second_half_of_bin_up_goes_on_holding_it(tmp_path: Path) -> None:
    with lock.held(tmp_path) as lock_fd:
        half = subprocess.Popen(
            [sys.executable, "-c", SHARING],
            env={**os.environ, lock.VARIABLE: str(lock_fd)},
            pass_fds=[lock_fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert half.stdout
        assert half.stdout.readline() == b"shared\n"
    refused = pytest.raises(DeployError, match=rf"\(process {half.pid}\)")
    with half, refused, lock.held(tmp_path):
        pass
    with lock.held(tmp_path):
        pass


@pytest.mark.parametrize("program", ["up", "down"])
def test_neither_begins_while_another_is_at_work(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("FLEETDASH_VAR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [program])
    with lock.held(tmp_path):
        assert {"up": up, "down": down}[program].main() == 1
    heard = capsys.readouterr()
    assert f"bin/{program}: Another bin/up or bin/down is at work" in heard.err
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("program", ["up", "down"])
def test_a_fleet_of_another_user_is_left_alone(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "secrets").mkdir()
    owner = os.geteuid()
    monkeypatch.setenv("FLEETDASH_VAR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert {"up": up, "down": down}[program].main() == 1
    who = "root: run it with sudo" if owner == 0 else "as that user"
    assert who in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["secrets"]
