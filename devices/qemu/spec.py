"""What a qemu command line is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from devices.qemu.shape import Shape

Architecture = Literal["x64", "arm64"]
Accelerator = Literal["kvm", "hvf", "tcg"]

QEMU_PROGRAMS: dict[Architecture, str] = {
    "x64": "qemu-system-x86_64",
    "arm64": "qemu-system-aarch64",
}
DEBIAN_PACKAGES: dict[Architecture, str] = {
    "x64": "qemu-system-x86",
    "arm64": "qemu-system-arm",
}


@dataclass(frozen=True)
class Bootloader:
    """Power-on through a boot-loader in ROM; `environment` is its 256 KiB flash image.

    Both are descriptors of open files.
    """

    image_fd: int
    environment_fd: int | None = None


@dataclass(frozen=True)
class DirectKernel:
    """A kernel and an initramfs without a boot-loader; both are descriptors of open files.

    Costs some 40 MiB a guest, so it is for proofs and tests.
    """

    kernel_fd: int
    initramfs_fd: int
    command_line: str


@dataclass(frozen=True)
class Disk:
    """A qcow2 overlay, open for reading and writing, on a raw image, open for reading."""

    overlay_fd: int
    backing_fd: int


@dataclass(frozen=True)
class ColdStart:
    """A power-on with ordinary anonymous memory."""


@dataclass(frozen=True)
class TemplateStart:
    """A power-on of a guest that is to be frozen: its memory is a memfd that stays behind."""

    memory_fd: int


@dataclass(frozen=True)
class WarmStart:
    """A clone that waits for a template's state (`-incoming defer`).

    `memory_fd` is the template's memory, a memfd sealed against change; it is mapped privately.
    """

    memory_fd: int


Start = ColdStart | TemplateStart | WarmStart


@dataclass(frozen=True)
class GuestSpec:
    """One guest's command line as values; descriptors are numbers in the qemu process.

    `cpu_model` None takes the accelerator's usual one. `sandbox` is seccomp, on Linux only.
    """

    serial: str
    uuid: UUID
    mac: str
    architecture: Architecture
    accelerator: Accelerator
    boot: Bootloader | DirectKernel
    qmp_fd: int
    console_fd: int
    shape: Shape = Shape()
    disk: Disk | None = None
    identity_fd: int | None = None
    start: Start = ColdStart()
    cpu_model: str | None = None
    sandbox: bool = True
    program: str | None = None
