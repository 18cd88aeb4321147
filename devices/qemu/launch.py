"""What is needed to start a guest, as paths and values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devices.qemu.guest_folder import GuestFolder
from devices.qemu.identity_file import Identity, mac_for
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.shape import Shape
from devices.qemu.spec import Accelerator, Architecture, ColdStart, Start


@dataclass(frozen=True)
class BootloaderFiles:
    """A boot-loader image and, for the arm64 board, the flash image of its environment."""

    image: Path
    environment: Path | None = None


@dataclass(frozen=True)
class KernelFiles:
    """A kernel and an initramfs to start without a boot-loader."""

    kernel: Path
    initramfs: Path
    command_line: str


@dataclass(frozen=True)
class Launch:
    """A guest to start: from its own overlay over `backing`, or without a disk.

    The overlay is new, unless `keep_disk`: then it is the one in the folder, of a guest that ended.

    `identity` becomes the guest's 512-byte file; a guest without one has no secret to tell.
    """

    serial: str
    architecture: Architecture
    accelerator: Accelerator
    boot: BootloaderFiles | KernelFiles
    folder: GuestFolder
    backing: Path | None = None
    identity: Identity | None = None
    shape: Shape = Shape()
    cpu_model: str | None = None
    start: Start = ColdStart()
    keep_disk: bool = False

    @property
    def mac(self) -> str:
        """The network address it starts with."""
        return self.identity.mac if self.identity else mac_for(0)


@dataclass(frozen=True)
class Confinement:
    """What keeps guests away from the host; None leaves a protection out.

    `network_namespace` and `cgroup` are paths (`/run/netns/NAME`, a group's folder). User and group
    can be changed by root only.
    """

    network_namespace: Path | None = None
    uid: int | None = None
    gid: int | None = None
    cgroup: Path | None = None


@dataclass(frozen=True)
class StartedGuest:
    """A guest's process, the command line of its qemu, and whether it was forked from another's."""

    identity: ProcessIdentity
    command_line: list[str]
    forked: bool = False
