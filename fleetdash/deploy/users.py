"""The users processes run as, and giving up root for good."""

from __future__ import annotations

import ctypes
import os
import pwd

from fleetdash.deploy.errors import DeployError

_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


def user(name: str) -> pwd.struct_passwd:
    """A user of this machine; raises DeployError when there is none of that name."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise DeployError(
            f"The user {name} does not exist on this machine; run bin/up as root to make it."
        ) from None


def become(name: str) -> None:
    """Be this user from here on, without a way back (setuid programs included).

    Supplementary groups become the user's own; raises OSError when the caller is not root.
    """
    entry = user(name)
    os.initgroups(name, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    refuse_new_privileges()


def refuse_new_privileges() -> None:
    """See Documentation/userspace-api/no_new_privs.rst; inherited and never undone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_NO_NEW_PRIVS): {os.strerror(number)}")
