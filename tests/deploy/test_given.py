from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from fleetdash.deploy import given, guests, manage
from fleetdash.deploy.errors import DeployError

POSTGRESQL = "postgres://fleet:hidden@db.example:5433/fleet"


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """A folder in which bin/up has been, as host `here`, with PostgreSQL; one device is there."""
    (tmp_path / "secrets").mkdir()
    given.write(tmp_path, "here", {"DATABASE_URL": POSTGRESQL, "TERM": "dumb"})
    for name in ("fd-000001", "template"):
        (tmp_path / "guests" / name).mkdir(parents=True)
        (tmp_path / "guests" / name / "overlay.qcow2").touch()
    return tmp_path


def test_bin_down_finds_what_bin_up_was_given(var: Path) -> None:
    assert given.path_of(var).stat().st_mode & 0o777 == 0o600
    shell = {"REDIS_URL": "redis://elsewhere", "TERM": "xterm"}
    given.restore(var, shell)
    assert shell == {"DATABASE_URL": POSTGRESQL, "FLEETDASH_HOST": "here", "TERM": "xterm"}


def test_a_command_for_the_database_goes_to_the_fleets_own(
    var: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    databases: list[str] = []
    monkeypatch.setattr(
        manage, "execute_from_command_line", lambda _: databases.append(os.environ["DATABASE_URL"])
    )
    monkeypatch.setenv("FLEETDASH_VAR", str(var))
    for name in ("DATABASE_URL", "FLEETDASH_HOST"):
        monkeypatch.setenv(name, "of the shell")
    assert manage.main() == 0
    assert databases == [POSTGRESQL]
    given.path_of(var).unlink()
    assert manage.main() == 1
    assert "run bin/up first" in capsys.readouterr().err
    assert databases == [POSTGRESQL]


def test_without_a_record_the_environment_is_as_it_is(tmp_path: Path) -> None:
    shell = {"DATABASE_URL": POSTGRESQL}
    given.restore(tmp_path, shell)
    assert shell == {"DATABASE_URL": POSTGRESQL}
    given.check(tmp_path, "here", shell)


def test_devices_are_not_given_to_a_database_that_does_not_know_them(var: Path) -> None:
    with pytest.raises(DeployError, match=r"fleet on db\.example:5433.*fleetdash\.sqlite3"):
        given.check(var, "here", {})
    given.check(var, "here", {"DATABASE_URL": POSTGRESQL.replace("hidden", "changed")})
    with pytest.raises(DeployError, match="Set FLEETDASH_HOST=here, or end these devices"):
        given.check(var, "there", {"DATABASE_URL": POSTGRESQL})


def test_the_usual_database_may_be_named_or_not(var: Path) -> None:
    given.write(var, "here", {})
    given.check(var, "here", {"DATABASE_URL": f"sqlite:///{var}/db/fleetdash.sqlite3"})
    with pytest.raises(DeployError, match="Unset DATABASE_URL") as refused:
        given.check(var, "here", {"DATABASE_URL": POSTGRESQL})
    assert "hidden" not in str(refused.value)


def test_running_devices_that_call_a_port_of_this_machine_keep_it(
    var: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    folder = GuestFolder(var / "guests" / "fd-000001")
    postgresql = {"DATABASE_URL": POSTGRESQL}
    changed = {**postgresql, "FLEETDASH_GATEWAY_PORT": "4001"}
    given.check(var, "here", changed)  # off: it hears of the port when it starts
    folder.record(ProcessIdentity.of(sleeper.pid))
    with pytest.raises(DeployError, match="call port 4000.*FLEETDASH_GATEWAY_PORT=4000, or end"):
        given.check(var, "here", changed)
    given.check(var, "here", {**postgresql, "FLEETDASH_GATEWAY_PORT": "4000"})
    given.check(var, "here", postgresql)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks")
def test_guests_with_a_network_of_their_own_do_not_call_this_machines(var: Path) -> None:
    folder = GuestFolder(var / "guests" / "fd-000001")
    command = ["unshare", "--net", "sh", "-c", "echo; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as guest:
        assert guest.stdout is not None
        if not guest.stdout.readline():
            pytest.skip("networks cannot be made here")
        folder.record(ProcessIdentity.of(guest.pid))
        try:
            assert guests.of_devices(var)
            assert guests.on_this_loopback(var) == []
        finally:
            guest.kill()


def test_without_devices_everything_may_be_chosen_anew(var: Path) -> None:
    assert guests.end_everyone(var) == []
    with pytest.raises(DeployError):  # the old database has yet to hear that they are gone
        given.check(var, "here", {})
    guests.gone_is_told(var)
    given.check(var, "there", {})
