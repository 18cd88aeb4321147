"""Whether the fleet's own user can read the code it is to run."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from fleetdash.deploy import users
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import FLEET_USER

_VENV = "var/venv"
_CODE = ("manage.py", "devices", "fleetdash", "templates")
_NEEDED = (
    *_CODE,
    "devices/**",
    "devices/**/*.py",
    "fleetdash/**",
    "fleetdash/**/*.py",
    "templates/**",
    "templates/**/*.html",
    f"{_VENV}/bin/python",
    f"{_VENV}/lib/*/site-packages",
    f"{_VENV}/lib/*/site-packages/*/__init__.py",
)
_SAY_UNREADABLE = 'for each do [ -r "$each" ] || echo "$each"; done'


def check(checkout: Path) -> None:
    """Make sure of it, as root; raises DeployError with what mends it.

    A checkout, or a virtual environment, made under a closed umask is its owner's only. It is the
    user itself that is asked, from within the checkout: folders above it may be closed.
    """
    user = users.user(FLEET_USER)
    needed = sorted({path for pattern in _NEEDED for path in _found(checkout, pattern)})
    said = subprocess.run(
        ["/bin/sh", "-c", _SAY_UNREADABLE, "sh", *needed],
        cwd=checkout,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=os.getgrouplist(user.pw_name, user.pw_gid),
        capture_output=True,
        text=True,
        check=True,
    )
    unreadable = said.stdout.splitlines()
    if unreadable:
        remedy = (
            f"cd {shlex.quote(str(checkout))} && chmod go+rx . var && "
            f"chmod -R go+rX {' '.join((*_CODE, _VENV))}"
        )
        raise DeployError(
            f"The user {user.pw_name} cannot read {checkout / unreadable[0]}, which its processes "
            f"need. This lets it:\n\n  {remedy}"
        )


def _found(checkout: Path, pattern: str) -> list[str]:
    """What is there, from the checkout on; byte code is optional to Python."""
    found = checkout.glob(pattern)
    return [str(each.relative_to(checkout)) for each in found if each.name != "__pycache__"]
