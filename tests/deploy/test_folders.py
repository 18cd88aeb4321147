from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from fleetdash.deploy import cli_file, folders, installation, mounts, users
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import Installation


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_get_their_modes_whatever_the_umask_and_whatever_was_there(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets").chmod(0o777)
    before = os.umask(0o077)
    try:
        folders.make(tmp_path, as_root=False)
        folders.make(tmp_path, as_root=False)
    finally:
        os.umask(before)
    assert mode(tmp_path / "secrets") == 0o750
    assert mode(tmp_path / "firmware") == 0o755
    for closed in ("db", "redis", "guests", "log", "run/supervisor"):
        assert mode(tmp_path / closed) == 0o700, closed


def test_the_secret_key_is_drawn_once_and_not_readable_to_others(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    folders.make_secret_key(tmp_path, as_root=False)
    key = (tmp_path / "secrets" / "secret_key").read_text()
    folders.make_secret_key(tmp_path, as_root=False)
    assert (tmp_path / "secrets" / "secret_key").read_text() == key
    assert len(key.strip()) >= 50
    assert mode(tmp_path / "secrets" / "secret_key") == 0o640


def test_a_folder_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeployError, match="FLEETDASH_VAR"):
        folders.make(tmp_path / "file" / "var", as_root=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_an_earlier_start_made_as_another_user_becomes_the_fleets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(users, "user", lambda _: nobody)
    folders.make(tmp_path, as_root=False)
    database, appended = tmp_path / "db" / "fleetdash.sqlite3", tmp_path / "redis" / "aof"
    appended.mkdir()
    elsewhere = tmp_path / "elsewhere"
    for file in (database, appended / "one", elsewhere):
        file.write_text("of root")
    (tmp_path / "db" / "hard").hardlink_to(elsewhere)
    (tmp_path / "db" / "soft").symlink_to(elsewhere)
    (tmp_path / "redis" / "way out").symlink_to(tmp_path / "secrets")
    folders.make(tmp_path, as_root=True)
    for given in (database, appended, appended / "one"):
        assert (given.stat().st_uid, given.stat().st_gid) == (nobody.pw_uid, nobody.pw_gid)
    for kept in (elsewhere, tmp_path / "secrets"):
        assert kept.stat().st_uid == 0


def test_the_token_of_bin_fleet_is_its_owners_only(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    assert cli_file.read(tmp_path) == ("", "")
    cli_file.write(tmp_path, cli_file.Access("http://127.0.0.1:8000", "fdt_x"))
    assert cli_file.read(tmp_path).token == "fdt_x"
    assert mode(cli_file.path_of(tmp_path)) == 0o600


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("10.1.2.3", "http://10.1.2.3:80"),
        ("::", "http://[::1]:80"),
    ],
)
def test_the_printed_address_is_one_that_can_be_opened(bind: str, address: str) -> None:
    assert cli_file.web_address(bind, 80) == address


def test_processes_see_the_checkout_and_a_var_of_its_own_below_run() -> None:
    usual = Installation(Path("/root/project"), Path("/root/project/var"))
    assert usual.seen_var == usual.seen_checkout / "var"
    assert usual.seen_checkout == Path("/run/fleetdash") / usual.id / "project"
    other = Installation(Path("/root/project"), Path("/srv/fleet"))
    assert other.id != usual.id
    assert other.seen_var == Path("/run/fleetdash") / other.id / "var"


def test_processes_know_the_real_folders_though_they_see_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = installation.here(tmp_path, tmp_path / "var")
    monkeypatch.setenv(installation.CHECKOUT_VARIABLE, str(real.checkout))
    monkeypatch.setenv(installation.REAL_VAR_VARIABLE, str(real.var))
    assert installation.here(real.seen_checkout, real.seen_var) == real


def test_a_closed_parent_keeps_others_out(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "project"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not mounts.others_can_enter(inner)
    assert mounts.others_can_enter(Path("/usr/bin"))
