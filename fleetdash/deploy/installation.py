"""One fleet on this machine: where it lies, what it is called, who runs it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from devices.services import confined

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
