"""What a bin/up does to what an earlier one left, and how the one in the foreground ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from devices.services import tokens
from fleetdash.deploy import (
    bringing_up,
    cli_file,
    database,
    follow,
    inside,
    place,
    ports,
    records,
    starts,
    stopping,
    supervision,
    up,
    waiting,
)
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.progress import Progress


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    for name in ("run", "secrets", "log"):
        (tmp_path / name).mkdir()
    return Installation(tmp_path, tmp_path)


@pytest.fixture
def out() -> io.StringIO:
    """What is printed."""
    return io.StringIO()


@pytest.fixture
def progress(out: io.StringIO) -> Progress:
    return Progress(out)


def test_a_second_supervisor_is_not_started_beside_one_that_runs(
    here: Installation, sleeper: subprocess.Popen[bytes]
) -> None:
    records.write(here.run, supervision.NAME, sleeper.pid)
    control = supervision.socket_of(here.run)
    control.parent.mkdir()
    control.touch()
    with pytest.raises(DeployError, match=rf"started meanwhile \(process {sleeper.pid}\)"):
        supervision.start(here.var, here.checkout)
    assert control.exists()


def test_what_hangs_or_was_interrupted_ends_and_its_watchdog_stays_quiet(
    here: Installation,
    progress: Progress,
    sleeper: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records.write(here.run, supervision.NAME, sleeper.pid)
    quiet: list[bool] = []

    def end(found: list[records.Record], *, deadline_s: float) -> list[records.Record]:
        quiet.append(starts.is_stopping(here.run))
        sleeper.kill()
        sleeper.wait()
        return []

    def taken(*, ours: Any) -> None:
        raise DeployError("a port is taken")

    monkeypatch.setattr(records, "end", end)
    monkeypatch.setattr(ports, "check", taken)
    proof = GuestFolder(here.run / "proof-arm64")
    with subprocess.Popen(["sleep", "60"]) as guest:
        proof.create()
        proof.record(ProcessIdentity.of(guest.pid))
        with pytest.raises(DeployError, match="a port is taken"):
            bringing_up.bring_up(here, progress, None, -1)
        assert guest.wait(timeout=30) < 0
    assert quiet == [True]
    assert not proof.path.exists()


@pytest.fixture
def completed(monkeypatch: pytest.MonkeyPatch, here: Installation) -> list[str]:
    """The second halves of bin/up that were run, by their last argument."""
    halves: list[str] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        halves.append(command[-1])
        cli_file.write(here.var, cli_file.Access("http://here:9000", "token"))
        starts.finish(here.run)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(place, "of", lambda _: place.Place([], "python", {}, []))
    monkeypatch.setattr(supervision, "states", lambda _: {})
    return halves


@pytest.mark.parametrize("which", ["first", "later"])
def test_a_start_that_did_not_come_to_its_end_is_gone_on_with(
    here: Installation, progress: Progress, out: io.StringIO, completed: list[str], which: str
) -> None:
    starts.begin(here.run)
    if which == "later":
        cli_file.write(here.var, cli_file.Access("http://here:8000", "token"))
        starts.finish(here.run)
        starts.begin(here.run)
    bringing_up.complete(here, progress, -1)
    assert completed == ["--complete"]
    assert "fleetdash runs already: http://here:9000" in out.getvalue()
    bringing_up.complete(here, progress, -1)
    assert completed == ["--complete"]


def test_a_fleet_of_code_that_wrote_no_end_down_is_not_called_interrupted(
    here: Installation, progress: Progress, out: io.StringIO, completed: list[str]
) -> None:
    (here.run / "start").write_text("of older code")
    cli_file.write(here.var, cli_file.Access("http://here:8000", "token"))
    bringing_up.complete(here, progress, -1)
    assert completed == []
    assert out.getvalue() == "fleetdash runs already: http://here:8000\n"


def test_a_fleet_whose_token_was_lost_gets_another(
    here: Installation, progress: Progress, completed: list[str]
) -> None:
    starts.begin(here.run)
    starts.finish(here.run)
    bringing_up.complete(here, progress, -1)
    assert completed == ["--complete"]


@pytest.mark.django_db
def test_accounts_are_made_for_the_database_that_lacks_them_and_end_the_start(
    here: Installation, progress: Progress, out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ask", lambda what, question: database.PARTS[what](question))
    cli_file.write(here.var, cli_file.Access("http://here:8000", "of another database"))
    starts.begin(here.run)
    unknown = {"has_admin": False, "token_works": False}
    inside.make_accounts(here.var, unknown, progress)
    assert starts.is_finished(here.run)
    assert "Log in as admin with the password" in out.getvalue()
    made = cli_file.read(here.var).token
    assert tokens.user_for(made) is not None
    inside.make_accounts(here.var, unknown, progress)
    assert cli_file.read(here.var).token == made


def record(run: Path, name: str, *, age_s: float) -> None:
    found = records.write(run, name, os.getpid())
    changed = {**found.__dict__, "started_at": time.time() - age_s}
    records.path_of(run, name).write_text(json.dumps(changed))


def test_all_is_not_well_while_a_process_keeps_failing(here: Installation) -> None:
    record(here.run, "web", age_s=60)
    record(here.run, "beat", age_s=waiting.STEADY_S - 0.3)
    waiting.until_steady(here.var, ["web", "beat"])
    record(here.run, "beat", age_s=-3600)  # the clock was put back
    waiting.until_steady(here.var, ["web", "beat"], deadline_s=0.0)
    record(here.run, "beat", age_s=0)
    (here.var / "log" / "beat.log").write_text("no such table\n")
    with pytest.raises(DeployError, match=r"(?s)beat ended again and again.*no such table"):
        waiting.until_steady(here.var, ["web", "beat"], deadline_s=0.0)


def test_a_supervisor_that_is_being_stopped_does_not_count_as_one_that_runs(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "answers", lambda run, within_s: True)
    assert bringing_up.runs(here)
    starts.stop_restarting(here.run)
    assert not bringing_up.runs(here)


@pytest.mark.parametrize("how", ["stopped", "started anew"])
def test_the_foreground_ends_with_its_own_start_and_stops_no_other(
    here: Installation,
    progress: Progress,
    out: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    start = starts.begin(here.run)
    assert not starts.is_over(here.run, start)
    if how == "stopped":
        starts.stop_restarting(here.run)
    else:
        starts.begin(here.run)
    assert not follow.until_interrupted(here, progress, start)
    monkeypatch.setattr(stopping, "_end_processes", lambda _: pytest.fail("it was stopped"))
    stopping.stop(here, progress, keep_guests=False, start=start)
    assert "by somebody else" in out.getvalue()


def test_a_full_disk_is_a_sentence(
    here: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> str:
        raise OSError(28, "No space left on device", str(here.run / "start"))

    monkeypatch.setenv("FLEETDASH_VAR", str(here.var))
    monkeypatch.setattr(sys, "argv", ["up"])
    monkeypatch.setattr(bringing_up, "bring_up", full)
    assert up.main() == 1
    assert f"The disk is full ({here.run}/start): free some space" in capsys.readouterr().err
