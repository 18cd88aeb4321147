"""What can go wrong with a guest as a process, as sentences a person can act on."""

from __future__ import annotations

from pathlib import Path


class QemuError(Exception):
    """Something about a guest, or about running guests here, that did not work."""


class BadShape(QemuError):
    """A shape no guest can have."""


class BadIdentity(QemuError):
    """An identity that does not fit into its 512 bytes or breaks its form."""


class QemuMissing(QemuError):
    """A program that starting a guest needs is not installed."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(
            f"{program} is not installed, so no guest can start: install Debian's {package}."
        )
        self.program = program
        self.package = package


class DiskFull(QemuError):
    """Too little room for one more overlay."""

    def __init__(self, folder: Path, free_mib: int, needed_mib: int) -> None:
        super().__init__(
            f"The disk of {folder} has {free_mib} MiB left and a guest needs {needed_mib} MiB: "
            "free some space or remove devices."
        )


class BadImage(QemuError):
    """A file that a guest starts from cannot be used."""


class DiskMissing(QemuError):
    """The disk of a device that is to be started again is not there."""

    def __init__(self, overlay: Path) -> None:
        super().__init__(
            f"Its disk {overlay} is missing: remove the device and add another in its place."
        )


class GuestSpawnFailed(QemuError):
    """qemu did not start, or ended before it had begun."""


class DidNotWake(GuestSpawnFailed):
    """A clone's qemu refused the template's state, or ended by itself: the template may be bad."""


class GuestExists(QemuError):
    """The serial's guest is running already."""


class ProcessGone(QemuError):
    """The process has ended, or its number belongs to another process by now."""


class ConfinementFailed(QemuError):
    """A protection that should have been set up was not."""


class QmpFailed(QemuError):
    """qemu could not be asked, did not answer in time, or refused."""


class AcceleratorUnproven(QemuError):
    """No accelerator booted a guest, so nothing can run on this host."""

    def __init__(self, architecture: str, refused: dict[str, str]) -> None:
        reasons = " ".join(f"{name}: {reason}" for name, reason in refused.items())
        super().__init__(f"No {architecture} guest could be booted on this machine. {reasons}")
        self.refused = refused


class BadTemplate(QemuError):
    """A frozen guest that no clone can be made from; making it again is the way out."""
