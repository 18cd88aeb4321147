from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from devices.firmware import boot_script, device_tree, fit, layout
from devices.firmware.board import ARM64, X64, Board
from devices.firmware.errors import LayoutError

KERNEL = b"\0" * 56 + b"ARM\x64" + b"kernel" * 1000
INITRAMFS = b"initramfs" * 100


def encoded(
    kernel: bytes = KERNEL, initramfs: bytes = INITRAMFS, board: Board = ARM64
) -> bytes:
    return fit.encode(
        board, kernel=kernel, initramfs=initramfs, description="test", timestamp=0
    )


def test_kernel_lies_where_it_may_run() -> None:
    image = encoded()
    position = image.index(KERNEL)
    assert (ARM64.image_address + position) % (2 * 1024 * 1024) == 0
    assert image.index(INITRAMFS) == fit.TREE_BYTES
    assert len(image) % 512 == 0


def test_a_longer_initramfs_moves_the_kernel() -> None:
    image = encoded(initramfs=b"i" * (2 * 1024 * 1024))
    assert image.index(KERNEL) == 4 * 1024 * 1024


def test_the_tree_says_how_many_blocks_to_read() -> None:
    image = encoded()
    name = image.index(b"fleetdash,blocks\0")
    assert name < fit.TREE_BYTES
    assert struct.pack(">I", len(image) // 512) in image[: fit.TREE_BYTES]


def test_what_is_no_kernel_is_refused() -> None:
    with pytest.raises(LayoutError, match="not one that an arm64 device starts"):
        encoded(kernel=b"\x1f\x8b" + bytes(100))
    with pytest.raises(LayoutError, match="not one that an x64 device starts"):
        encoded(board=X64)


def test_too_large_for_the_slot_is_refused() -> None:
    with pytest.raises(LayoutError, match="kernel slot A"):
        encoded(kernel=KERNEL + bytes(layout.KERNEL["a"].size))


@pytest.mark.skipif(shutil.which("fdtget") is None, reason="device-tree-compiler is not installed")
def test_the_tree_is_one_that_others_read(tmp_path: Path) -> None:
    path = tmp_path / "tree"
    root = device_tree.Node({"a": "text", "b": 7}, {"child": device_tree.Node({"c": b"\1\2\3"})})
    path.write_bytes(device_tree.encode(root))

    def get(*words: str) -> str:
        done = subprocess.run(["fdtget", *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert get(str(path), "/", "a") == "text"
    assert get(str(path), "/", "b") == "7"
    assert get("-t", "bx", str(path), "/child", "c") == "1 2 3"


@pytest.mark.parametrize("board", [ARM64, X64], ids=lambda board: board.architecture)
def test_boot_script_is_one_line_each_and_closed(board: Board) -> None:
    variables = boot_script.environment(board, kernel_args="quiet")
    for name, value in variables.items():
        assert "\n" not in value, name
        assert value.count("if ") == value.count("fi;") + value.endswith("fi"), name
        assert value.count("{") == value.count("}"), name
    assert f"virtio read {board.environment_address:x} 10 100" in variables["bootcmd"]
    assert variables["bootdelay"] == "-2"
