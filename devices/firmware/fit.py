"""Kernel and initramfs as one image for a kernel slot: a U-Boot FIT with its data outside.

The data stands at fixed places behind the tree (`data-position`, U-Boot's
`doc/uImage.FIT/source_file_format.txt`): read to the board's address, an arm64 kernel already lies
on the 2 MiB boundary it wants and nothing is copied. The property `fleetdash,blocks` tells
the boot-loader how much of the 50 MiB slot to read.
"""

from __future__ import annotations

import hashlib

from devices.firmware import device_tree, layout
from devices.firmware.board import Board
from devices.firmware.errors import LayoutError

TREE_BYTES = 4096
BLOCKS_PROPERTY = "fleetdash,blocks"


def encode(
    board: Board, *, kernel: bytes, initramfs: bytes, description: str, timestamp: int
) -> bytes:
    """The FIT of a board.

    Raises `LayoutError` when the kernel is for another board or nothing fits the slot.
    """
    magic_end = board.kernel_magic_offset + len(board.kernel_magic)
    if kernel[board.kernel_magic_offset : magic_end] != board.kernel_magic:
        raise LayoutError(f"The kernel is not one that an {board.architecture} device starts.")
    initramfs_position = TREE_BYTES
    kernel_position = _up(initramfs_position + len(initramfs), board.kernel_alignment)
    end = kernel_position + len(kernel)
    blocks = _up(end, layout.BLOCK_BYTES) // layout.BLOCK_BYTES
    layout.KERNEL["a"].check(blocks * layout.BLOCK_BYTES)
    images = {
        "kernel": _image(board, "kernel", kernel, position=kernel_position),
        "ramdisk": _image(board, "ramdisk", initramfs, position=initramfs_position),
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


def _image(board: Board, kind: str, data: bytes, *, position: int) -> device_tree.Node:
    return device_tree.Node(
        {
            "description": kind,
            "type": kind,
            "arch": board.fit_architecture,
            "os": "linux",
            "compression": "none",
            "load": board.image_address + position,
            "entry": board.image_address + position,
            "data-position": position,
            "data-size": len(data),
        },
        {"hash-1": device_tree.Node({"algo": "sha256", "value": hashlib.sha256(data).digest()})},
    )


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
