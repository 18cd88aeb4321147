"""Erlang's external term format, as much of it as a token's payload has.

See "External Term Format" in the Erlang/OTP documentation of `erts`.
"""

from __future__ import annotations

from typing import TypeAlias

from devices.gateway.errors import BadMessage

Term: TypeAlias = "int | bytes | tuple[Term, ...]"

VERSION = 131
SMALL_INTEGER, INTEGER, SMALL_BIG, BINARY, SMALL_TUPLE = 97, 98, 110, 109, 104
DEPTH = 4


def decode(data: bytes) -> Term:
    """The one term in `data`: an integer, a binary or a tuple; raises BadMessage otherwise."""
    if not data or data[0] != VERSION:
        raise BadMessage("The term does not start with the format's version.")
    term, end = _term(data, 1, DEPTH)
    if end != len(data):
        raise BadMessage("There is something after the term.")
    return term


def _take(data: bytes, at: int, count: int) -> tuple[bytes, int]:
    if at + count > len(data):
        raise BadMessage("The term is cut off.")
    return data[at : at + count], at + count


def _term(data: bytes, at: int, depth: int) -> tuple[Term, int]:
    (tag,), at = _take(data, at, 1)
    if tag == SMALL_INTEGER:
        (value,), at = _take(data, at, 1)
        return value, at
    if tag == INTEGER:
        raw, at = _take(data, at, 4)
        return int.from_bytes(raw, "big", signed=True), at
    if tag == SMALL_BIG:
        (count, sign), at = _take(data, at, 2)
        raw, at = _take(data, at, count)
        magnitude = int.from_bytes(raw, "little")
        return -magnitude if sign else magnitude, at
    if tag == BINARY:
        raw, at = _take(data, at, 4)
        return _take(data, at, int.from_bytes(raw, "big"))
    if tag == SMALL_TUPLE and depth:
        (arity,), at = _take(data, at, 1)
        items: list[Term] = []
        for _ in range(arity):
            item, at = _term(data, at, depth - 1)
            items.append(item)
        return tuple(items), at
    raise BadMessage(f"A term of kind {tag} does not belong here.")


def _encode(term: Term) -> bytes:
    if isinstance(term, bytes):
        return bytes([BINARY]) + len(term).to_bytes(4, "big") + term
    if isinstance(term, tuple):
        return bytes([SMALL_TUPLE, len(term)]) + b"".join(map(_encode, term))
    if 0 <= term < 256:
        return bytes([SMALL_INTEGER, term])
    if -(1 << 31) <= term < 1 << 31:
        return bytes([INTEGER]) + term.to_bytes(4, "big", signed=True)
    magnitude = abs(term)
    raw = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "little")
    return bytes([SMALL_BIG, len(raw), term < 0]) + raw


def encode(term: Term) -> bytes:
    """What Erlang's `term_to_binary/1` gives for the term."""
    return bytes([VERSION]) + _encode(term)
