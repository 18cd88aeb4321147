"""bin/down where something goes wrong on the way."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db.migrations.executor import MigrationExecutor

from devices.host import kernel_settings, ksm_control
from devices.states import State
from fleetdash.deploy import database, guests, stopping, swap
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.place import Place
from fleetdash.deploy.progress import Progress
from tests.rows import a_device, a_host

PUT_BACK = ["namespace", "swap", "merging", "settings"]


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """A fleet with a database and the folder of a guest that has ended."""
    (tmp_path / "run").mkdir()
    (tmp_path / "guests" / "fd-000001").mkdir(parents=True)
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "fleetdash.sqlite3").touch()
    return Installation(tmp_path, tmp_path)


@pytest.fixture
def put_back(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put back on the machine, in order."""
    done: list[str] = []

    def restore() -> SimpleNamespace:
        done.append("merging")
        return SimpleNamespace(problem="")

    def release(_: str) -> list[str]:
        done.append("settings")
        return []

    monkeypatch.setattr(stopping, "_forget_host", lambda _: done.append("namespace"))
    monkeypatch.setattr(swap, "take_away", lambda *_: done.append("swap"))
    monkeypatch.setattr(ksm_control, "restore", restore)
    monkeypatch.setattr(kernel_settings, "release", release)
    return done


def stop(here: Installation) -> str:
    out = io.StringIO()
    stopping.stop(here, Progress(out), keep_guests=False)
    return out.getvalue()


def test_a_database_that_cannot_be_asked_keeps_nothing_from_being_put_back(
    here: Installation, put_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> dict[str, Any]:
        raise DeployError("The database is locked.")

    monkeypatch.setattr(database, "ask", refuse)
    with pytest.raises(DeployError, match=r"(?s)is locked.*the next bin/up says of their devices"):
        stop(here)
    assert put_back == PUT_BACK
    assert list((here.var / "guests").iterdir()) == []
    assert guests.are_ended(here.var)
    monkeypatch.setattr(database, "ask", lambda *_, **__: {"devices": 1, "waits": False})
    stop(here)
    assert not guests.are_ended(here.var)


def test_a_database_of_an_earlier_version_is_told_by_the_next_bin_up(
    here: Installation, put_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ask", lambda *_, **__: {"devices": 0, "waits": True})
    assert "of an earlier version" in stop(here)
    assert guests.are_ended(here.var)
    assert put_back == PUT_BACK


def test_guests_that_do_not_end_keep_their_rows_and_folders(
    here: Installation, put_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "end_everyone", lambda _: [SimpleNamespace(pid=77)])
    monkeypatch.setattr(database, "ask", lambda *_, **__: pytest.fail("it was told"))
    with pytest.raises(DeployError, match="1 guests did not end: processes 77"):
        stop(here)
    assert set(put_back) >= {"merging", "settings"}


@pytest.mark.django_db
@pytest.mark.usefixtures("redis_server")
def test_the_next_bin_up_says_that_devices_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    device = a_device(a_host(settings.HOST_NAME))
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["one"])
    assert database.gone({}) == {"devices": 0, "waits": True}
    device.refresh_from_db()
    assert device.state == State.ONLINE
    monkeypatch.undo()
    question = {"accelerators": {}, "missing_protections": [], "firmwares": [], "token": ""}
    database.prepare({**question, "guests_ended": False})
    device.refresh_from_db()
    assert device.state == State.ONLINE
    database.prepare({**question, "guests_ended": True})
    device.refresh_from_db()
    assert device.state == State.GONE


def test_a_database_that_is_none_is_told_of_in_a_line(here: Installation) -> None:
    file = here.var / "db" / "fleetdash.sqlite3"
    file.write_text("not a database, but long enough to be looked at" * 20)
    environment = {**os.environ, "FLEETDASH_VAR": str(here.var)}
    environment.pop("DATABASE_URL", None)
    with pytest.raises(DeployError, match="could not be asked; it said:\nfile is not a database$"):
        database.ask("gone", {}, place=Place([], sys.executable, environment, []))
