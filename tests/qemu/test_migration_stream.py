from __future__ import annotations

import struct

from devices.qemu.migration_stream import without_empty_pages

ZERO, MEM_SIZE, PAGE, EOS, CONTINUE = 0x02, 0x04, 0x08, 0x10, 0x20
SECTION = struct.pack(">I", 2)
FOOTER = b"\x7e" + SECTION
BEGIN = b"QEVM\0\0\0\x03\x07\0\0\0\x04virt"


def word(number: int) -> bytes:
    return struct.pack(">Q", number)


def name(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def setup() -> bytes:
    blocks = name(b"flash") + word(0x8000) + word(0x4000000)
    ids = struct.pack(">II", 0, 4)
    return (
        b"\x01" + SECTION + name(b"ram") + ids
        + word(0x8000 | MEM_SIZE) + blocks + word(EOS) + FOOTER
    )


def part(*records: bytes) -> bytes:
    return b"\x02" + SECTION + b"".join(records) + word(EOS) + FOOTER


CONTENT = b"\xa5" * 4096
REST = b"\x04devices" + b"\x02\x03ram"


def test_a_block_whose_first_pages_were_empty_is_still_named() -> None:
    stream = BEGIN + setup() + part(
        word(0 | ZERO) + name(b"flash") + b"\0",
        word(0x1000 | ZERO | CONTINUE) + b"\0",
        word(0x2000 | PAGE | CONTINUE) + CONTENT,
        word(0x3000 | PAGE | CONTINUE) + CONTENT,
    ) + REST
    assert without_empty_pages(stream) == BEGIN + setup() + part(
        word(0x2000 | PAGE) + name(b"flash") + CONTENT,
        word(0x3000 | PAGE | CONTINUE) + CONTENT,
    ) + REST


def test_each_section_names_its_block_anew() -> None:
    records = word(0x2000 | PAGE) + name(b"flash") + CONTENT
    stream = BEGIN + setup() + part(records) + part(records) + REST
    assert without_empty_pages(stream) == stream


def test_what_it_does_not_know_is_left_as_it_is() -> None:
    empty = word(0 | ZERO) + name(b"flash") + b"\0"
    for unknown in (word(0x100 | 0x1000) + b"compressed", empty[:-1] + b"\x07"):
        stream = BEGIN + setup() + part(empty, unknown) + REST
        assert without_empty_pages(stream) == stream
    for stream in (b"", b"no machine", (BEGIN + setup() + part(empty))[:-20]):
        assert without_empty_pages(stream) == stream
