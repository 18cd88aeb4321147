"""What an x64 device has of its own: its boot-loader's ROM, its program for system calls."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from devices.firmware import boot_script, guest_image, pc_rom, static_program, x64_program
from devices.firmware.board import ARM64, X64, Board, board_of
from devices.firmware.errors import BuildFailed

BUILT_IN = b"bootargs=root=/dev/sdb3 ro\0bootcmd=run distro_bootcmd\0bootdelay=2\0" + b"x=" * 3000
ROM = b"\xeb\xfe" * 64 + BUILT_IN + b"\0\0" + b"code" * 64


def test_the_roms_environment_is_ours_and_nothing_else_is_changed() -> None:
    rom = pc_rom.with_environment(ROM, {"bootcmd": "echo here", "bootdelay": "-2"})
    assert len(rom) == len(ROM)
    assert (rom[:128], rom[-256:]) == (ROM[:128], ROM[-256:])
    entries = rom[128:].split(b"\0\0", 1)[0].split(b"\0")
    assert entries[:3] == [b"baudrate=115200", b"bootcmd=echo here", b"bootdelay=-2"]
    assert b"distro_bootcmd" not in rom


def test_an_environment_that_does_not_fit_or_is_not_there_is_refused() -> None:
    with pytest.raises(BuildFailed, match="takes 7"):
        pc_rom.with_environment(ROM, {"bootcmd": "x" * 7000})
    with pytest.raises(BuildFailed, match="where it should be"):
        pc_rom.with_environment(b"another boot-loader", {"bootcmd": "x"})


def test_our_scripts_fit_into_debians_rom() -> None:
    arguments = guest_image.kernel_arguments(X64)
    variables = boot_script.environment(X64, kernel_args=arguments)
    text = sum(len(f"{name}={value}\0") for name, value in {**pc_rom.CONSOLE, **variables}.items())
    assert text < 4500
    assert "console=ttyS0" in arguments.split()


def test_a_list_has_what_is_for_one_architecture_and_what_is_for_all() -> None:
    assert "linux-image-cloud-amd64*" in guest_image.words("packages.txt", X64)
    assert "linux-image-cloud-amd64*" not in guest_image.words("packages.txt", ARM64)
    for board in (ARM64, X64):
        words = guest_image.words("modules.txt", board)
        assert "virtio_blk" in words
        assert not [word for word in words if word.startswith("@")]


def test_what_there_is_no_board_for_is_said() -> None:
    with pytest.raises(BuildFailed, match="no firmware for 'mips': use arm64 or x64"):
        board_of("mips")


@pytest.mark.parametrize(("board", "machine"), [(ARM64, 183), (X64, 62)])
def test_the_program_for_system_calls_is_static_and_of_its_machine(
    board: Board, machine: int
) -> None:
    image = guest_image.system_calls(board)
    assert image[:6] == b"\x7fELF\x02\x01"
    assert struct.unpack_from("<HHIQ", image, 16) == (2, machine, 1, static_program.CODE)
    assert b"/qemu_fw_cfg/by_name/opt/org.fleetdash/identity/raw\0" in image


def test_a_program_that_reaches_into_its_buffer_is_refused() -> None:
    with pytest.raises(BuildFailed, match="reach into its own buffer"):
        static_program.wrap(bytes(4096), machine=62)


@pytest.mark.skipif(
    shutil.which("as") is None or shutil.which("objcopy") is None,
    reason="binutils are not installed",
)
def test_the_programs_bytes_are_its_sources(tmp_path: Path) -> None:
    source = guest_image.GUEST / "syscalls/x64.s"
    subprocess.run(["as", "--64", source, "-o", tmp_path / "o"], check=True)
    subprocess.run(
        ["objcopy", "-O", "binary", "-j", ".text", tmp_path / "o", tmp_path / "bin"], check=True
    )
    assert (tmp_path / "bin").read_bytes() == x64_program.CODE
