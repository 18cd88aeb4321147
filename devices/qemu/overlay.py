"""Empty qcow2 overlays, written without starting a program.

The backing image is not named in the file: qemu gets it with `-blockdev …,backing=NODE`, already
open, so the guest's user needs no path to it. Format: qemu's docs/interop/qcow2.txt, version 3.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from devices.qemu.errors import BadImage

CLUSTER_BITS = 16
CLUSTER_BYTES = 1 << CLUSTER_BITS
SECTOR_BYTES = 512
_REFCOUNT_ORDER = 4  # 16 bits a cluster
_HEADER_BYTES = 104
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")

# One level-2 table is a cluster of 8-byte entries; one refcount block a cluster of 2-byte ones.
_L2_COVERS_BYTES = CLUSTER_BYTES // 8 * CLUSTER_BYTES
_LARGEST_BYTES = CLUSTER_BYTES // 8 * _L2_COVERS_BYTES


def empty_overlay(size_bytes: int) -> dict[int, bytes]:
    """What an empty overlay of a disk of that size holds: offset → bytes, the rest is zero.

    Clusters: header, refcount table, first refcount block, level-1 table. Raises BadImage.
    """
    if size_bytes <= 0 or size_bytes % SECTOR_BYTES:
        raise BadImage(f"A disk of {size_bytes} bytes is not a whole number of sectors.")
    if size_bytes > _LARGEST_BYTES:
        raise BadImage(f"A disk of {size_bytes} bytes is too large for an overlay.")
    l1_entries = -(-size_bytes // _L2_COVERS_BYTES)
    header = _HEADER.pack(
        b"QFI\xfb", 3,
        0, 0,  # no backing file name
        CLUSTER_BITS, size_bytes,
        0,  # not encrypted
        l1_entries, 3 * CLUSTER_BYTES,
        1 * CLUSTER_BYTES, 1,
        0, 0,  # no snapshots
        0, 0, 0,  # no incompatible, compatible or auto-clear features
        _REFCOUNT_ORDER, _HEADER_BYTES,
    )
    return {
        0: header,
        1 * CLUSTER_BYTES: struct.pack(">Q", 2 * CLUSTER_BYTES),
        2 * CLUSTER_BYTES: struct.pack(">4H", 1, 1, 1, 1),
    }


def overlay_file_bytes() -> int:
    """How long an empty overlay is; as a sparse file it takes 12 KiB of disk."""
    return 4 * CLUSTER_BYTES


def write_overlay(path: Path, size_bytes: int) -> None:
    """Write an empty overlay for a disk of that size, readable by its owner only.

    Raises FileExistsError when there is a file already, BadImage for a size that cannot be.
    """
    parts = empty_overlay(size_bytes)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        for offset, content in parts.items():
            os.pwrite(descriptor, content, offset)
        os.ftruncate(descriptor, overlay_file_bytes())
    finally:
        os.close(descriptor)


def is_untouched(path: Path) -> bool:
    """Whether nothing was ever written through an overlay: its level-1 table is empty."""
    with path.open("rb") as overlay:
        overlay.seek(3 * CLUSTER_BYTES)
        return not any(overlay.read(CLUSTER_BYTES))
