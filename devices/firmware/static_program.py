"""A static ELF program from its instructions (ELF gABI 4.1), readable, writable and executable."""

from __future__ import annotations

import struct

from devices.firmware.errors import BuildFailed

BASE = 0x400000
MEMORY_BYTES = 0x3000
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
# where the instructions begin
CODE = BASE + _HEADER.size + _SEGMENT.size


def wrap(code: bytes, *, machine: int) -> bytes:
    """The program that begins with the first byte of `code`; `machine` is ELF's number for it.

    The memory after its page is its buffer. Raises `BuildFailed` when the code reaches into that.
    """
    size = CODE - BASE + len(code)
    if size > 0x1000:
        raise BuildFailed(f"A program of {size} bytes would reach into its own buffer.")
    header = _HEADER.pack(
        b"\x7fELF\x02\x01\x01".ljust(16, b"\0"), 2, machine, 1, CODE, _HEADER.size, 0, 0,
        _HEADER.size, _SEGMENT.size, 1, 0, 0, 0,
    )  # fmt: skip
    segment = _SEGMENT.pack(1, 7, 0, BASE, BASE, size, MEMORY_BYTES, 0x1000)
    return header + segment + code
