"""Writing a flattened device tree (Devicetree Specification 0.4, chapter 5)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

MAGIC = 0xD00DFEED
VERSION = 17
LAST_COMPATIBLE_VERSION = 16
_BEGIN_NODE, _END_NODE, _PROPERTY, _END = 1, 2, 3, 9
_HEADER_BYTES = 40
_RESERVATION = bytes(16)

Value = str | int | bytes


@dataclass(frozen=True)
class Node:
    """A node: its properties and the nodes below it, both in the order they are written."""

    properties: Mapping[str, Value] = field(default_factory=dict)
    children: Mapping[str, Node] = field(default_factory=dict)


def encode(root: Node) -> bytes:
    """The tree as bytes: integers are one big-endian cell, strings end in NUL."""
    strings: dict[str, int] = {}
    block = bytearray()
    structure = _node("", root, strings, block) + struct.pack(">I", _END)
    structure_offset = _HEADER_BYTES + len(_RESERVATION)
    strings_offset = structure_offset + len(structure)
    total = _aligned(strings_offset + len(block))
    header = struct.pack(
        ">10I",
        MAGIC,
        total,
        structure_offset,
        strings_offset,
        _HEADER_BYTES,
        VERSION,
        LAST_COMPATIBLE_VERSION,
        0,
        len(block),
        len(structure),
    )
    return (header + _RESERVATION + structure + bytes(block)).ljust(total, b"\0")


def _node(name: str, node: Node, strings: dict[str, int], block: bytearray) -> bytes:
    out = struct.pack(">I", _BEGIN_NODE) + _padded(name.encode() + b"\0")
    for key, value in node.properties.items():
        if key not in strings:
            strings[key] = len(block)
            block += key.encode() + b"\0"
        raw = _raw(value)
        out += struct.pack(">III", _PROPERTY, len(raw), strings[key]) + _padded(raw)
    for key, child in node.children.items():
        out += _node(key, child, strings, block)
    return out + struct.pack(">I", _END_NODE)


def _raw(value: Value) -> bytes:
    if isinstance(value, int):
        return struct.pack(">I", value)
    if isinstance(value, str):
        return value.encode() + b"\0"
    return value


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _padded(raw: bytes) -> bytes:
    return raw.ljust(_aligned(len(raw)), b"\0")
