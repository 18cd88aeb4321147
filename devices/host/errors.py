"""What can be wrong with a host, as sentences a person can act on."""

from __future__ import annotations


class HostError(Exception):
    """Something about this machine that fleetdash cannot work with."""


class UnknownArchitecture(HostError):
    """The machine's architecture is neither x64 nor arm64."""

    def __init__(self, machine: str) -> None:
        super().__init__(
            f"The architecture {machine!r} is not one fleetdash knows; "
            "run it on x64 (amd64, x86_64) or arm64 (aarch64)."
        )
        self.machine = machine


class CannotMerge(HostError):
    """The kernel's merging of equal memory is not there or may not be set."""


class NoZramSwap(HostError):
    """A swap in memory cannot be made, or not be taken away."""


class CannotSet(HostError):
    """A setting of the kernel is not there or may not be changed."""
