"""Changes to a compiled kernel module (64-bit little-endian ELF, ELF gABI 4.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from devices.firmware.errors import BuildFailed

_SIGNATURE = b"~Module signature appended~\n"
_SIGNATURE_INFO = struct.Struct(">5B3xI")
_HEADER = struct.Struct("<40xQ10xHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_RELA = 4
_SYMTAB = 2


@dataclass(frozen=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int
    info: int


@dataclass(frozen=True)
class _Symbol:
    name: bytes
    section: int
    value: int
    size: int


def unsigned(module: bytes) -> bytes:
    """The module without the signature at its end, which no changed one may carry."""
    if not module.endswith(_SIGNATURE):
        return module
    end = len(module) - len(_SIGNATURE) - _SIGNATURE_INFO.size
    *_, length = _SIGNATURE_INFO.unpack_from(module, end)
    return module[: end - length]


def without_pointer(module: bytes, variable: str, function: str) -> bytes:
    """The module with null where a variable of it points to one of its functions.

    The kernel fills such places in when it loads a module: this one it then leaves as it is in the
    file. A module without such a function is given back as it is. Raises `BuildFailed` when there
    is not exactly one such place, or something in it already.
    """
    if b"\0" + function.encode() + b"\0" not in module:
        return module
    changed = bytearray(unsigned(module))
    sections = list(_sections(changed))
    symbols = _symbols(changed, sections)
    holders = [each for each in symbols if each.name == variable.encode()]
    targets = [each for each in symbols if each.name == function.encode()]
    if len(holders) != 1 or len(targets) != 1:
        raise BuildFailed(f"The kernel module has not one {variable} and one {function}.")
    (holder,), (target,) = holders, targets
    places = [
        at
        for section in sections
        if section.kind == _RELA and section.info == holder.section
        for at in range(section.offset, section.offset + section.size, _RELOCATION.size)
        if _points(changed, at, symbols, holder, target)
    ]
    if len(places) != 1:
        raise BuildFailed(f"{variable} points to {function} in {len(places)} places, not in one.")
    offset, *_ = _RELOCATION.unpack_from(changed, places[0])
    at = sections[holder.section].offset + offset
    if any(changed[at : at + 8]):
        raise BuildFailed(f"{variable} is not empty where it will point to {function}.")
    # a relocation of the kind "none"
    _RELOCATION.pack_into(changed, places[0], offset, 0, 0)
    return bytes(changed)


def _points(
    module: bytearray, at: int, symbols: list[_Symbol], holder: _Symbol, target: _Symbol
) -> bool:
    offset, info, addend = _RELOCATION.unpack_from(module, at)
    symbol = symbols[info >> 32]
    inside: bool = holder.value <= offset < holder.value + holder.size
    to_it: bool = symbol.section == target.section and symbol.value + addend == target.value
    return inside and to_it


def _sections(module: bytearray) -> Iterator[_Section]:
    try:
        if not module.startswith(b"\x7fELF\x02\x01"):
            raise BuildFailed("The kernel module is not a 64-bit little-endian ELF file.")
        table, size, count, _ = _HEADER.unpack_from(module)
        for number in range(count):
            _, kind, _, _, offset, length, link, info, _, _ = _SECTION.unpack_from(
                module, table + number * size
            )
            yield _Section(kind, offset, length, link, info)
    except struct.error as error:
        raise BuildFailed(f"The kernel module is damaged: {error}.") from error


def _symbols(module: bytearray, sections: list[_Section]) -> list[_Symbol]:
    found = []
    for section in sections:
        if section.kind != _SYMTAB:
            continue
        names = sections[section.link].offset
        for at in range(section.offset, section.offset + section.size, _SYMBOL.size):
            name, _, _, place, value, size = _SYMBOL.unpack_from(module, at)
            start = names + name
            text = bytes(module[start : module.index(b"\0", start)])
            found.append(_Symbol(text, place, value, size))
    return found
