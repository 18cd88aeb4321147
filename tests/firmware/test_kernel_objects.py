from __future__ import annotations

import struct

import pytest

from devices.firmware.errors import BuildFailed
from devices.firmware.kernel_objects import unsigned, without_pointer

NAMES = b"\0table\0called\0other\0"
SIGNATURE = b"signed" + struct.pack(">5B3xI", 0, 0, 2, 0, 0, 6) + b"~Module signature appended~\n"
HEADER_BYTES = 64


def symbol(name: bytes, section: int, value: int, size: int) -> bytes:
    return struct.pack("<IBBHQQ", NAMES.index(name), 0, 0, section, value, size)


def module(*addends: int, content: bytes = bytes(32)) -> bytes:
    """A table of 16 bytes at 8 in section 1, with a pointer into section 2 at its end for each.

    `called` is at 0x10 there, `other` at 0x20.
    """
    symbols = b"".join(
        (
            symbol(b"", 2, 0, 0), symbol(b"table", 1, 8, 16),
            symbol(b"called", 2, 0x10, 4), symbol(b"other", 2, 0x20, 4),
        )
    )  # fmt: skip
    relocations = b"".join(struct.pack("<QQq", 16, 0x101, addend) for addend in addends)
    parts = [(0, b"", 0, 0), (1, content, 0, 0), (1, bytes(64), 0, 0), (4, relocations, 4, 1),
             (2, symbols, 5, 0), (3, NAMES, 0, 0)]  # fmt: skip
    body, table = b"", b""
    for kind, data, link, info in parts:
        table += struct.pack(
            "<IIQQQQIIQQ", 0, kind, 0, 0, HEADER_BYTES + len(body), len(data), link, info, 8, 0
        )
        body += data
    header = b"\x7fELF\x02\x01".ljust(40, b"\0") + struct.pack(
        "<Q10xHHH", HEADER_BYTES + len(body), 64, len(parts), 0
    )
    return header + body + table


def test_the_one_pointer_is_left_out_and_nothing_else_changes() -> None:
    before = module(0x10, 0x20)
    after = without_pointer(before + SIGNATURE, "table", "called")
    places = [at for at in range(len(before)) if before[at] != after[at]]
    assert len(after) == len(before)
    entry = struct.pack("<QQq", 16, 0x101, 0x10)
    assert before.replace(entry, struct.pack("<QQq", 16, 0, 0)) == after
    assert places


def test_a_signature_goes() -> None:
    assert unsigned(b"module" + SIGNATURE) == b"module"
    assert unsigned(b"module") == b"module"


def test_a_module_without_the_function_stays_as_it_is() -> None:
    before = module(0x10) + SIGNATURE
    assert without_pointer(before, "table", "unknown") == before


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (module(), "0 places"),
        (module(0x10, 0x10), "2 places"),
        (module(0x10, content=b"\1" * 32), "not empty"),
        (module(0x10)[:70] + b"\0called\0", "damaged"),
        (b"\0called\0", "not a 64-bit"),
    ],
)
def test_what_is_not_as_expected_is_refused(broken: bytes, reason: str) -> None:
    with pytest.raises(BuildFailed, match=reason):
        without_pointer(broken, "table", "called")
