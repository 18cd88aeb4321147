"""One fleet on this machine: where it lies, what it is called, who runs it."""

from __future__ import annotations

import hashlib
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from devices.services import confined
from fleetdash.deploy.errors import DeployError

SEEN_BELOW = Path("/run/fleetdash")

FLEET_USER = "fleetdash"

# what the processes are told of the place they run in; set by bin/up, never by a person
CHECKOUT_VARIABLE = "FLEETDASH_CHECKOUT"
REAL_VAR_VARIABLE = "FLEETDASH_REAL_VAR"
ID_VARIABLE = "FLEETDASH_ID"
NAMESPACE_VARIABLE = confined.NAMESPACE_VARIABLE
CGROUP_VARIABLE = confined.CGROUP_VARIABLE
USERS_VARIABLE = confined.USERS_VARIABLE
MISSING_VARIABLE = "FLEETDASH_MISSING_PROTECTIONS"


@dataclass(frozen=True)
class Installation:
    """The real folders of a fleet, and where its processes see them.

    As root the processes see both below `/run/fleetdash/<id>`, so that their own users can enter
    a checkout that lies below a closed folder such as `/root`.
    """

    checkout: Path
    var: Path

    @property
    def id(self) -> str:
        """Eight hexadecimal digits that tell this fleet from others on the machine."""
        return hashlib.sha256(f"{self.checkout}\n{self.var}".encode()).hexdigest()[:8]

    @property
    def seen_folder(self) -> Path:
        """The folder below which the processes see checkout and var."""
        return SEEN_BELOW / self.id

    @property
    def seen_checkout(self) -> Path:
        """Where the processes see the checkout."""
        return self.seen_folder / "project"

    @property
    def seen_var(self) -> Path:
        """Where the processes see `var`."""
        if self.var.is_relative_to(self.checkout):
            return self.seen_checkout / self.var.relative_to(self.checkout)
        return self.seen_folder / "var"

    @property
    def run(self) -> Path:
        """Records of processes and what the supervisor needs."""
        return self.var / "run"

    @property
    def namespace_name(self) -> str:
        """The guests' network namespace, as `ip netns` calls it."""
        return f"fleetdash-{self.id}"


def here(checkout: Path, var: Path) -> Installation:
    """The installation this process belongs to, by real paths even when it sees others."""
    return Installation(
        checkout=Path(os.environ.get(CHECKOUT_VARIABLE) or checkout.resolve()),
        var=Path(os.environ.get(REAL_VAR_VARIABLE) or var.resolve()),
    )


def of_environment() -> Installation:
    """This checkout's installation in the folder that FLEETDASH_VAR names, without the settings.

    Reading those may already take the rights of who started the fleet. Raises DeployError for a
    fleet that belongs to another user.
    """
    checkout = Path(__file__).resolve().parents[2]
    found = here(checkout, Path(os.environ.get("FLEETDASH_VAR") or checkout / "var").absolute())
    _check_owner(found)
    return found


def _check_owner(found: Installation) -> None:
    secrets = found.var / "secrets"
    caller = os.geteuid()
    try:
        owner = secrets.stat().st_uid
    except FileNotFoundError:
        return
    except PermissionError:
        owner = 0
    if caller in (0, owner):
        return
    if owner == 0:
        raise DeployError("This fleet belongs to root: run it with sudo.")
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"user {owner}"
    raise DeployError(f"This fleet belongs to {name}: run it as that user.")
