"""One name for each architecture, whatever the tool at hand calls it."""

from __future__ import annotations

import os

from devices.host.errors import UnknownArchitecture

X64 = "x64"
ARM64 = "arm64"

_NAMES = {
    "amd64": X64,
    "x86_64": X64,
    "x64": X64,
    "arm64": ARM64,
    "aarch64": ARM64,
}


def normalise(machine: str) -> str:
    """`x64` or `arm64` from Debian's, the kernel's or our own name for it.

    Raises UnknownArchitecture for anything else.
    """
    try:
        return _NAMES[machine.strip().lower()]
    except KeyError:
        raise UnknownArchitecture(machine) from None


def of_this_machine() -> str:
    """The architecture of the running kernel; raises UnknownArchitecture."""
    return normalise(os.uname().machine)
