"""Assembles the few arm64 instructions that `guest/syscalls/arm64.s` is written in.

A cross compiler would be half a gigabyte for a hundred instructions. The syntax is GNU `as`'s;
encodings are those of the Arm Architecture Reference Manual, C6.2.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping

from devices.firmware.errors import BuildFailed
from devices.firmware.static_program import CODE

_CONDITIONS = {"eq": 0, "ne": 1, "le": 13}
_STATEMENT = re.compile(r"(?P<word>\S+)(?:\s+(?P<operands>.*))?")


def assembled(source: str) -> bytes:
    """The instructions of the source, for a program that `static_program` wraps.

    Raises `BuildFailed` with the line that is not understood.
    """
    statements = list(_statements(source))
    labels: dict[str, int] = {}
    at = CODE
    for line, word, operands in statements:
        if word.endswith(":"):
            labels[word[:-1]] = at
        else:
            at += len(_encode(line, word, operands, at, None))
    code = bytearray()
    for line, word, operands in statements:
        if not word.endswith(":"):
            code += _encode(line, word, operands, CODE + len(code), labels)
    return bytes(code)


def _statements(source: str) -> Iterator[tuple[int, str, str]]:
    for number, raw in enumerate(source.splitlines(), start=1):
        match = _STATEMENT.match(raw.split("//", 1)[0].strip())
        if match is not None:
            yield number, match["word"], match["operands"] or ""


def _encode(
    line: int, word: str, operands: str, at: int, labels: Mapping[str, int] | None
) -> bytes:
    try:
        if word == ".asciz":
            return operands.strip().strip('"').encode() + b"\0"
        if word == ".quad":
            return struct.pack("<Q", int(operands, 0))
        if word == ".balign":
            return bytes(-at % int(operands))
        parts = [part for part in re.split(r"[,\s\[\]]+", operands) if part]
        return struct.pack("<I", _instruction(word, parts, at, labels))
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise BuildFailed(
            f"Line {line}, `{word} {operands}`, cannot be assembled: {error}."
        ) from error


def _instruction(
    word: str, parts: list[str], at: int, labels: Mapping[str, int] | None
) -> int:
    match word.split("."):
        case ["mov"] if parts[1][0] in "xw":
            return 0xAA0003E0 | _register(parts[1]) << 16 | _register(parts[0])
        case ["mov"]:
            value = _number(parts[1])
            wide = parts[0][0] == "x"
            if value < 0:
                return 0x92800000 | _field(~value, 16) << 5 | _register(parts[0])
            opcode = 0xD2800000 if wide else 0x52800000
            return opcode | _half(parts[2:]) | _field(value, 16) << 5 | _register(parts[0])
        case ["movk"]:
            opcode = 0xF2800000 if parts[0][0] == "x" else 0x72800000
            value = _field(_number(parts[1]), 16)
            return opcode | _half(parts[2:]) | value << 5 | _register(parts[0])
        case ["ldr" | "str"]:
            wide = parts[0][0] == "x"
            opcode = 0xF9000000 if wide else 0xB9000000
            opcode |= 0x00400000 if word == "ldr" else 0
            offset = _scaled(parts[2:], 8 if wide else 4, 12)
            return opcode | offset << 10 | _register(parts[1]) << 5 | _register(parts[0])
        case ["ldp"]:
            registers = _register(parts[1]) << 10 | _register(parts[2]) << 5 | _register(parts[0])
            return 0xA9400000 | _scaled(parts[3:], 8, 6) << 15 | registers
        case ["add"]:
            shift = 1 << 22 if parts[3:] == ["lsl", "#12"] else 0
            value = _field(_number(parts[2]), 12)
            return 0x91000000 | shift | value << 10 | _register(parts[1]) << 5 | _register(parts[0])
        case ["sub"]:
            value = _field(_number(parts[2]), 12)
            return 0xD1000000 | value << 10 | _register(parts[1]) << 5 | _register(parts[0])
        case ["cmp"] if parts[1][0] == "#":
            return 0xF100001F | _field(_number(parts[1]), 12) << 10 | _register(parts[0]) << 5
        case ["cmp"]:
            return 0x6B00001F | _register(parts[1]) << 16 | _register(parts[0]) << 5
        case ["adr"]:
            away = _away(parts[1], at, labels)
            return 0x10000000 | (away & 3) << 29 | (away >> 2 & 0x7FFFF) << 5 | _register(parts[0])
        case ["b"]:
            return 0x14000000 | _away(parts[0], at, labels) >> 2 & 0x3FFFFFF
        case ["b", condition]:
            away = _away(parts[0], at, labels) >> 2 & 0x7FFFF
            return 0x54000000 | away << 5 | _CONDITIONS[condition]
        case ["cbz"]:
            away = _away(parts[1], at, labels) >> 2 & 0x7FFFF
            return 0xB4000000 | away << 5 | _register(parts[0])
        case ["svc"]:
            return 0xD4000001 | _field(_number(parts[0]), 16) << 5
    raise ValueError("there is no such instruction here")


def _register(name: str) -> int:
    return 31 if name == "sp" else _field(int(name[1:]), 5)


def _number(text: str) -> int:
    if not text.startswith("#"):
        raise ValueError(f"{text} is no number")
    return int(text[1:], 0)


def _field(value: int, bits: int) -> int:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{value} does not fit into {bits} bits")
    return value


def _half(shift: list[str]) -> int:
    return {(): 0, ("lsl", "#16"): 1 << 21}[tuple(shift)]


def _scaled(parts: list[str], unit: int, bits: int) -> int:
    value = _number(parts[0]) if parts else 0
    if value % unit:
        raise ValueError(f"{value} is not a multiple of {unit}")
    return _field(value // unit, bits)


def _away(label: str, at: int, labels: Mapping[str, int] | None) -> int:
    return 0 if labels is None else labels[label] - at
