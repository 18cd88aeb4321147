from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from fleetdash.deploy import readable, users
from fleetdash.deploy.errors import DeployError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One below a closed folder, with a virtual environment; the fleet's user is `nobody`."""
    monkeypatch.setattr(users, "user", lambda _: pwd.getpwnam("nobody"))
    tmp_path.chmod(0o700)
    made = tmp_path / "the project"
    for name in ("devices/views", "fleetdash", "templates", "var/venv/bin"):
        (made / name).mkdir(parents=True)
    django = made / "var/venv/lib/python3.11/site-packages/django"
    django.mkdir(parents=True)
    (django / "__init__.py").touch()
    (made / "var/venv/bin/python").symlink_to("/usr/bin/python3")
    for name in ("manage.py", "devices/views/page.py", "templates/page.html"):
        (made / name).touch()
    return made


def test_a_closed_folder_above_the_checkout_and_files_that_are_not_code_are_no_trouble(
    checkout: Path,
) -> None:
    secret = checkout / "devices" / ".page.py.swp"
    secret.touch(mode=0o600)
    (checkout / "devices" / "__pycache__").mkdir(mode=0o700)
    readable.check(checkout)


@pytest.mark.parametrize(
    "closed", [".", "devices/views", "devices/views/page.py", "templates/page.html", "var/venv"]
)
def test_code_that_the_fleets_user_cannot_read_is_told_with_what_mends_it(
    checkout: Path, closed: str
) -> None:
    (checkout / closed).chmod((checkout / closed).stat().st_mode & 0o700)
    with pytest.raises(DeployError, match="The user nobody cannot read") as raised:
        readable.check(checkout)
    subprocess.run(["sh", "-c", str(raised.value).splitlines()[-1]], check=True)
    readable.check(checkout)
