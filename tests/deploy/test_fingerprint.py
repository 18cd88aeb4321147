from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fleetdash import env
from fleetdash.deploy import bringing_up, fingerprint, given, up
from fleetdash.deploy.installation import Installation

SETTINGS = {"FLEETDASH_PORT": "8000", "DATABASE_URL": "postgres://fleet:hidden@db.example/fleet"}
RECIPE = "bin/down --keep-guests && bin/up --detach"


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """A checkout with some code, in which a fleet was started with SETTINGS."""
    checkout = tmp_path / "checkout"
    (checkout / "devices" / "__pycache__").mkdir(parents=True)
    (checkout / "devices" / "code.py").write_text("a = 1\n")
    (checkout / "requirements.txt").write_text("Django==5.2\n")
    found = Installation(checkout, checkout / "var")
    for folder in ("run", "secrets"):
        (found.var / folder).mkdir(parents=True)
    fingerprint.write(found, SETTINGS)
    return found


def test_what_is_as_it_was_has_not_changed(here: Installation) -> None:
    (here.checkout / "devices" / "__pycache__" / "code.pyc").write_text("compiled")
    (here.checkout / "devices" / ".#code.py").symlink_to("somebody@edits.it")
    (here.checkout / "README.md").write_text("said better")
    (here.checkout / "devices" / "code.py").touch()
    assert fingerprint.changes(here, SETTINGS) == []


def test_settings_that_differ_are_named_and_kept_nowhere(here: Installation) -> None:
    now = {**SETTINGS, "FLEETDASH_PORT": "9000", "DATABASE_URL": "sqlite:///x"}
    assert fingerprint.changes(here, now) == ["DATABASE_URL", "FLEETDASH_PORT"]
    file = here.run / "fingerprint.json"
    assert "hidden" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_setting_that_the_code_did_not_know_is_the_codes_change(here: Installation) -> None:
    assert fingerprint.changes(here, {**SETTINGS, "FLEETDASH_NEW": "1"}) == []


@pytest.mark.parametrize("name", ["devices/code.py", "requirements.txt", "static/new.js"])
def test_code_and_packages_are_the_checkout(here: Installation, name: str) -> None:
    (here.checkout / name).parent.mkdir(exist_ok=True)
    (here.checkout / name).write_text("b")
    assert fingerprint.changes(here, SETTINGS) == ["the checkout"]


def test_code_that_wrote_nothing_down_was_another(here: Installation) -> None:
    (here.run / "fingerprint.json").unlink()
    assert fingerprint.changes(here, SETTINGS) == ["the checkout"]


def test_a_usual_value_is_the_same_given_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "_values", {})
    for name in ("FLEETDASH_PORT", "FLEETDASH_VAR", "FLEETDASH_ARCHITECTURES"):
        monkeypatch.delenv(name, raising=False)

    def now() -> dict[str, str]:
        env.text("FLEETDASH_VAR", "/somewhere")
        env.integer("FLEETDASH_PORT", 8000, least=1, most=65535)
        return fingerprint.settings()

    before = now()
    assert set(before) == {"FLEETDASH_PORT", "FLEETDASH_ARCHITECTURES"}
    monkeypatch.setenv("FLEETDASH_PORT", "8000")
    monkeypatch.setenv("FLEETDASH_ARCHITECTURES", before["FLEETDASH_ARCHITECTURES"])
    assert now() == before
    monkeypatch.setenv("FLEETDASH_ARCHITECTURES", "x64,arm64")
    assert now()["FLEETDASH_ARCHITECTURES"] == "arm64,x64"


def second_up(here: Installation, monkeypatch: pytest.MonkeyPatch, **now: str) -> int:
    """bin/up over the running fleet, with other settings."""
    monkeypatch.setattr(fingerprint, "settings", lambda: {**SETTINGS, **now})
    monkeypatch.setattr("fleetdash.deploy.installation.of_environment", lambda: here)
    monkeypatch.setattr(bringing_up, "runs", lambda _: True)
    monkeypatch.setattr(bringing_up, "complete", lambda *_: print("runs already"))
    monkeypatch.setattr(sys, "argv", ["up"])
    return up.main()


def test_a_second_bin_up_says_what_it_does_not_take_up(
    here: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert second_up(here, monkeypatch) == 0
    assert capsys.readouterr().out == "runs already\n"
    (here.checkout / "devices" / "code.py").write_text("a = 2\n")
    assert second_up(here, monkeypatch, FLEETDASH_PORT="9000") == 0
    said = capsys.readouterr().out
    assert said.startswith("FLEETDASH_PORT and the checkout are not what this fleet was started")
    assert f"  {RECIPE}\n" in said
    assert said.endswith("runs already\n")


def test_what_the_next_start_would_refuse_is_said_instead(
    here: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given.write(here.var, "before", {})
    disk = here.var / "guests" / "fd-000001" / "overlay.qcow2"
    disk.parent.mkdir(parents=True)
    disk.touch()
    assert second_up(here, monkeypatch, FLEETDASH_HOST="now", FLEETDASH_PORT="9000") == 0
    said = capsys.readouterr().out
    assert "belong to the host before" in said
    assert RECIPE not in said
