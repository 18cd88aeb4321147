from __future__ import annotations

import struct

import pytest

from devices.firmware.arm64_assembler import assembled
from devices.firmware.errors import BuildFailed
from devices.firmware.guest_image import GUEST


def words(source: str) -> list[int]:
    return [word for (word,) in struct.iter_unpack("<I", assembled(source))]


# As `llvm-mc --disassemble --triple=aarch64` reads them back
@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ldr x20, [sp]", 0xF94003F4),
        ("ldr w1, [x19]", 0xB9400261),
        ("str x0, [x23]", 0xF90002E0),
        ("ldp x2, x3, [x23, #24]", 0xA9418EE2),
        ("mov x19, #0x40, lsl #16", 0xD2A00813),
        ("mov x0, #-100", 0x92800C60),
        ("mov w25, #0x6574", 0x528CAE99),
        ("movk w25, #0x706d, lsl #16", 0x72AE0DB9),
        ("mov x21, x0", 0xAA0003F5),
        ("add x19, x19, #1, lsl #12", 0x91400673),
        ("add x23, x23, #56", 0x9100E2F7),
        ("sub x3, x3, #1", 0xD1000463),
        ("cmp x0, #512", 0xF108001F),
        ("cmp w1, w25", 0x6B19003F),
        ("svc #0", 0xD4000001),
    ],
)
def test_an_instruction(line: str, word: int) -> None:
    assert words(line) == [word]


def test_labels_are_reached_forwards_and_backwards() -> None:
    source = "again:\n b.le end // over\n cbz x8, again\n b again\nend:\n svc #0"
    assert words(source) == [0x5400006D, 0xB4FFFFE8, 0x17FFFFFE, 0xD4000001]


def test_data_lies_where_its_label_is() -> None:
    code = assembled("adr x1, text\n.balign 8\n.quad 7\ntext:\n.asciz \"/dev\"")
    assert code == struct.pack("<IIQ", 0x10000081, 0, 7)[:4] + bytes(4) + struct.pack(
        "<Q", 7
    ) + b"/dev\0"


@pytest.mark.parametrize(
    "line", ["mul x0, x1, x2", "ldr x0, [x1, #3]", "b nowhere", "mov x0, #70000"]
)
def test_what_is_not_understood_is_said_with_its_line(line: str) -> None:
    with pytest.raises(BuildFailed, match="Line 2"):
        assembled(f"svc #0\n{line}")


def test_the_devices_own_program_assembles() -> None:
    image = assembled((GUEST / "syscalls/arm64.s").read_text(encoding="utf-8"))
    assert b"/qemu_fw_cfg/by_name/opt/org.fleetdash/identity/raw\0" in image
    assert len(image) < 1024
