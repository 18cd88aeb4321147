"""Kernel and initramfs as one image for a kernel slot: a U-Boot FIT with its data outside.

The data stands at fixed places behind the tree (`data-position`, U-Boot's
`doc/uImage.FIT/source_file_format.txt`): read to `LOAD_ADDRESS`, the kernel already lies on the
2 MiB boundary an arm64 kernel wants and nothing is copied. The property `fleetdash,blocks` tells
the boot-loader how much of the 50 MiB slot to read.
"""

from __future__ import annotations

import hashlib

from devices.firmware import device_tree, layout
from devices.firmware.errors import LayoutError

LOAD_ADDRESS = 0x40200000
TREE_BYTES = 4096
KERNEL_ALIGNMENT = 2 * 1024 * 1024
BLOCKS_PROPERTY = "fleetdash,blocks"
_ARM64_MAGIC = b"ARM\x64"
_ARM64_MAGIC_OFFSET = 56


def encode(*, kernel: bytes, initramfs: bytes, description: str, timestamp: int) -> bytes:
    """The FIT. Raises `LayoutError` when the kernel is no arm64 Image or nothing fits the slot."""
    if kernel[_ARM64_MAGIC_OFFSET : _ARM64_MAGIC_OFFSET + 4] != _ARM64_MAGIC:
        raise LayoutError("The kernel is not an uncompressed arm64 Image.")
    initramfs_position = TREE_BYTES
    kernel_position = _up(initramfs_position + len(initramfs), KERNEL_ALIGNMENT)
    end = kernel_position + len(kernel)
    blocks = _up(end, layout.BLOCK_BYTES) // layout.BLOCK_BYTES
    layout.KERNEL["a"].check(blocks * layout.BLOCK_BYTES)
    images = {
        "kernel": _image(
            "kernel", kernel, position=kernel_position, load=LOAD_ADDRESS + kernel_position
        ),
        "ramdisk": _image(
            "ramdisk", initramfs, position=initramfs_position, load=LOAD_ADDRESS + TREE_BYTES
        ),
    }
    configuration = device_tree.Node({"kernel": "kernel", "ramdisk": "ramdisk"})
    root = device_tree.Node(
        {
            "timestamp": timestamp,
            "description": description,
            "#address-cells": 1,
            BLOCKS_PROPERTY: blocks,
        },
        {
            "images": device_tree.Node({}, images),
            "configurations": device_tree.Node({"default": "slot"}, {"slot": configuration}),
        },
    )
    tree = device_tree.encode(root)
    if len(tree) > TREE_BYTES:
        raise LayoutError(f"The image's tree takes {len(tree)} bytes, more than {TREE_BYTES}.")
    front = tree.ljust(TREE_BYTES, b"\0") + initramfs
    return (front.ljust(kernel_position, b"\0") + kernel).ljust(blocks * layout.BLOCK_BYTES, b"\0")


def _image(kind: str, data: bytes, *, position: int, load: int) -> device_tree.Node:
    return device_tree.Node(
        {
            "description": kind,
            "type": kind,
            "arch": "arm64",
            "os": "linux",
            "compression": "none",
            "load": load,
            "entry": load,
            "data-position": position,
            "data-size": len(data),
        },
        {"hash-1": device_tree.Node({"algo": "sha256", "value": hashlib.sha256(data).digest()})},
    )


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
