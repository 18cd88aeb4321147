"""What keeps guests away from this host, as bin/up prepared it and told its processes."""

from __future__ import annotations

import os
import pwd
from functools import cache
from pathlib import Path

from devices.qemu.confinement import GUEST_USER
from devices.qemu.launch import Confinement

NAMESPACE_VARIABLE = "FLEETDASH_GUEST_NAMESPACE"
CGROUP_VARIABLE = "FLEETDASH_GUEST_CGROUP"
# set where processes and guests have users of their own
USERS_VARIABLE = "FLEETDASH_USERS"


@cache
def confinement() -> Confinement:
    """Network namespace, control group and user of guests; what is missing is None."""
    namespace = os.environ.get(NAMESPACE_VARIABLE)
    cgroup = os.environ.get(CGROUP_VARIABLE)
    user = pwd.getpwnam(GUEST_USER) if os.environ.get(USERS_VARIABLE) else None
    return Confinement(
        network_namespace=Path(namespace) if namespace else None,
        uid=user.pw_uid if user else None,
        gid=user.pw_gid if user else None,
        cgroup=Path(cgroup) if cgroup else None,
    )
