from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from devices.qemu.errors import BadImage
from devices.qemu.overlay import empty_overlay, overlay_file_bytes, write_overlay

MIB = 1 << 20


def qemu_io(overlay: Path, backing: Path, *commands: str) -> str:
    options = (
        f"driver=qcow2,file.driver=file,file.filename={overlay},"
        f"backing.driver=raw,backing.read-only=on,backing.file.driver=file,"
        f"backing.file.filename={backing}"
    )
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", "--image-opts", *words, options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("size_bytes", [512, 350 * MIB + 512, 512 * MIB, 40 * 1024 * MIB])
def test_qemu_finds_no_error_in_it(tmp_path: Path, size_bytes: int) -> None:
    overlay = tmp_path / "overlay.qcow2"
    write_overlay(overlay, size_bytes)
    subprocess.run(["qemu-img", "check", "-q", overlay], check=True)
    about = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", overlay]))
    assert about["virtual-size"] == size_bytes
    assert about["format-specific"]["data"]["compat"] == "1.1"
    assert "backing-filename" not in about


def test_it_reads_through_and_keeps_what_is_written(tmp_path: Path) -> None:
    backing, overlay = tmp_path / "disk.img", tmp_path / "overlay.qcow2"
    backing.write_bytes(b"\x42" * (2 * MIB))
    write_overlay(overlay, 2 * MIB)
    said = qemu_io(
        overlay, backing,
        "read -P 0x42 0 2M", "write -P 0x17 70k 4k", "read -P 0x17 70k 4k", "read -P 0x42 0 70k",
        "read -P 0x42 74k 1k",
    )  # fmt: skip
    assert "verification failed" not in said
    subprocess.run(["qemu-img", "check", "-q", overlay], check=True)
    assert backing.read_bytes() == b"\x42" * (2 * MIB)
    assert "verification failed" not in qemu_io(overlay, backing, "read -P 0x17 70k 4k")


def test_it_is_small_and_its_owners_only(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.qcow2"
    write_overlay(overlay, 350 * MIB)
    about = overlay.stat()
    assert about.st_size == overlay_file_bytes()
    assert about.st_blocks * 512 <= 16 << 10
    assert about.st_mode & 0o777 == 0o600


def test_it_never_writes_over_a_file(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.qcow2"
    overlay.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        write_overlay(overlay, MIB)
    assert overlay.read_bytes() == b"precious"


@pytest.mark.parametrize("size_bytes", [0, -512, 513, 1 << 50])
def test_a_size_no_disk_has_is_refused(size_bytes: int) -> None:
    with pytest.raises(BadImage):
        empty_overlay(size_bytes)
