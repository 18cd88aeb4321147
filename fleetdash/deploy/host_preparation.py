"""What only root can make ready: users, the guests' network namespace and control group."""

from __future__ import annotations

import os
from dataclasses import replace

from devices.qemu import confinement
from devices.qemu.errors import QemuError
from fleetdash.deploy import guests, place
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import (
    CGROUP_VARIABLE,
    MISSING_VARIABLE,
    NAMESPACE_VARIABLE,
    Installation,
)
from fleetdash.deploy.place import Place


def prepare(here: Installation) -> Place:
    """Make ready what this caller can, and say what is missing; raises DeployError."""
    as_root = os.geteuid() == 0
    if as_root:
        try:
            confinement.ensure_users()
        except QemuError as error:
            raise DeployError(f"{error} Without its users fleetdash cannot run as root.") from None
    prepared = place.of(here)
    confined, missing_for_guests = confinement.ensure_confinement(
        namespace=here.namespace_name,
        cgroup=here.namespace_name,
        adopt_from=guests.running(here.var) if as_root else (),
    )
    more: dict[str, str] = {}
    if confined.network_namespace:
        more[NAMESPACE_VARIABLE] = str(confined.network_namespace)
    if confined.cgroup:
        more[CGROUP_VARIABLE] = str(confined.cgroup)
    missing = prepared.missing_protections + missing_for_guests
    more[MISSING_VARIABLE] = "\n".join(missing)
    return replace(prepared.with_environment(**more), missing_protections=missing)
