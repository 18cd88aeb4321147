"""Where everything is on a device's disk: Nerves' layout for qemu's arm64 board, in bytes.

The numbers are those of `nerves_system_qemu_aarch64` (`fwup_include/fwup-common.conf`), so that a
firmware of theirs finds its slots where it expects them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from devices.firmware.errors import LayoutError

BLOCK_BYTES = 512
SLOTS = ("a", "b")
MBR_TYPE_LINUX = 0x83
MBR_SIGNATURE = b"\x55\xaa"
_MIB_BLOCKS = 1024 * 1024 // BLOCK_BYTES


@dataclass(frozen=True)
class Region:
    """A run of 512-byte blocks on the disk."""

    name: str
    first_block: int
    blocks: int

    @property
    def offset(self) -> int:
        """First byte on the disk."""
        return self.first_block * BLOCK_BYTES

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.blocks * BLOCK_BYTES

    @property
    def end_block(self) -> int:
        """The first block after the region."""
        return self.first_block + self.blocks

    def check(self, content_bytes: int) -> None:
        """Raise `LayoutError` when so many bytes do not fit."""
        if content_bytes > self.size:
            raise LayoutError(
                f"{self.name} takes {self.size} bytes and was given {content_bytes}: "
                "make the image smaller."
            )


ENVIRONMENT = Region("the boot-loader's environment", 16, 256)
KERNEL = {
    "a": Region("kernel slot A", 272, 50 * _MIB_BLOCKS),
    "b": Region("kernel slot B", 102672, 50 * _MIB_BLOCKS),
}
ROOTFS = {
    "a": Region("root file system slot A", 205072, 50 * _MIB_BLOCKS),
    "b": Region("root file system slot B", 307472, 50 * _MIB_BLOCKS),
}
APPLICATION_DATA = Region("application data", 409872, 150 * _MIB_BLOCKS)
DISK_BLOCKS = APPLICATION_DATA.end_block
DISK_BYTES = DISK_BLOCKS * BLOCK_BYTES
ROOT_DEVICE = {"a": "/dev/vda1", "b": "/dev/vda2"}


def master_boot_record(*, disk_signature: int) -> bytes:
    """The first block of the disk: both root file systems and the application data."""
    partitions = (ROOTFS["a"], ROOTFS["b"], APPLICATION_DATA)
    table = b"".join(_partition(region) for region in partitions)
    boot_code = bytes(440)
    record = boot_code + struct.pack("<IH", disk_signature, 0) + table.ljust(64, b"\0")
    return record + MBR_SIGNATURE


def _partition(region: Region) -> bytes:
    # Cylinder, head and sector say "beyond what they can say": everybody reads the block numbers.
    beyond = b"\xfe\xff\xff"
    return struct.pack(
        "<B3sB3sII", 0, beyond, MBR_TYPE_LINUX, beyond, region.first_block, region.blocks
    )
