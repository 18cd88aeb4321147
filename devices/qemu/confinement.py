"""What this host offers to keep guests in, set up once and found again at each start."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from devices.qemu.cgroup import ensure_cgroup, remove_cgroup
from devices.qemu.errors import ConfinementFailed, QemuError, QemuMissing
from devices.qemu.launch import Confinement
from devices.qemu.namespace import (
    ensure_namespace,
    listen_in_namespace,
    namespace_path,
    remove_namespace,
)
from devices.qemu.process_identity import ProcessIdentity

GUEST_USER = "fleetdash-guest"
FLEET_USER = "fleetdash"

_Kept = TypeVar("_Kept")

__all__ = [
    "FLEET_USER",
    "GUEST_USER",
    "Confinement",
    "User",
    "ensure_cgroup",
    "ensure_confinement",
    "ensure_namespace",
    "ensure_user",
    "ensure_users",
    "listen_in_namespace",
    "missing_protections",
    "namespace_path",
    "remove_cgroup",
    "remove_namespace",
]


@dataclass(frozen=True)
class User:
    """A system user by number."""

    name: str
    uid: int
    gid: int


def ensure_user(name: str) -> User:
    """The system user of that name, made when there is none; raises ConfinementFailed."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _add_user(name)
        entry = pwd.getpwnam(name)
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def ensure_users() -> tuple[User, User]:
    """The fleet's own user and the guests', in that order; needs root when one is missing."""
    return ensure_user(FLEET_USER), ensure_user(GUEST_USER)


def ensure_confinement(
    *, namespace: str, cgroup: str, adopt_from: Iterable[ProcessIdentity] = ()
) -> tuple[Confinement, list[str]]:
    """All protections this host and this user can give, and a sentence for each that is missing.

    May be called as often as one likes; what is there is kept. `adopt_from` are recorded guests,
    whose namespace is found again should its name have been lost.
    """
    if os.geteuid() != 0:
        nothing = Confinement()
        return nothing, missing_protections(nothing)
    why: dict[str, str] = {}

    def kept(part: str, make: Callable[[], _Kept]) -> _Kept | None:
        try:
            return make()
        except (QemuError, OSError, subprocess.SubprocessError) as error:
            why[part] = str(error)
            return None

    user = kept("user", lambda: ensure_user(GUEST_USER))
    confinement = Confinement(
        network_namespace=kept(
            "namespace", lambda: ensure_namespace(namespace, adopt_from=adopt_from)
        ),
        uid=user.uid if user else None,
        gid=user.gid if user else None,
        cgroup=kept("cgroup", lambda: ensure_cgroup(cgroup)),
    )
    return confinement, missing_protections(confinement, why=why)


def missing_protections(
    confinement: Confinement, *, why: dict[str, str] | None = None
) -> list[str]:
    """A sentence for each protection guests go without; `why` has reasons by part, if known."""
    root = "Run bin/up as root to have it."
    why = why or {}
    sentences: list[str] = []
    if confinement.uid is None:
        sentences.append(
            "Guests run as the user who started fleetdash, not as one without rights. "
            f"{why.get('user', root)}"
        )
    if confinement.network_namespace is None:
        sentences.append(
            "Guests reach every port of this machine's loopback and the network it is in, "
            f"for want of a network of their own. {why.get('namespace', root)}"
        )
    if confinement.cgroup is None:
        sentences.append(
            "Guests are in our control group, so whatever ends the whole group ends them too. "
            f"{why.get('cgroup', root)}"
        )
    return sentences


def _add_user(name: str) -> None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise QemuMissing("useradd", "passwd")
    done = subprocess.run(
        [
            program, "--system", "--user-group", "--no-create-home",
            "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    exists = 9  # useradd(8): the name is in use, so another process was first
    if done.returncode not in (0, exists):
        said = done.stderr.decode(errors="replace").strip()
        raise ConfinementFailed(f"The user {name} could not be made: {said}")
