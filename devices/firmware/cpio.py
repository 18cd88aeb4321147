"""Writing an initramfs: the "newc" archive of the kernel's `early-userspace/buffer-format`."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """One file: `mode` with its type bits; `content` of a symbolic link is where it points."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(name: str) -> Entry:
    """A folder everybody may enter."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes, *, executable: bool = False) -> Entry:
    """A regular file."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), content)


def symlink(name: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def character_device(name: str, major: int, minor: int) -> Entry:
    """A character device, such as the console the kernel gives to the first process."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def encode(entries: Iterable[Entry]) -> bytes:
    """The archive: root owns all, times are zero, so the same entries give the same bytes."""
    out = bytearray()
    number = 0
    for number, entry in enumerate(entries, start=1):
        out += _record(entry, number)
    out += _record(Entry(_TRAILER, 0), number + 1, links=1)
    return bytes(out)


def _record(entry: Entry, number: int, *, links: int | None = None) -> bytes:
    name = entry.name.encode() + b"\0"
    count = links if links is not None else (2 if stat.S_ISDIR(entry.mode) else 1)
    fields = (
        number,
        entry.mode,
        0,
        0,
        count,
        0,
        len(entry.content),
        0,
        0,
        entry.device[0],
        entry.device[1],
        len(name),
        0,
    )
    header = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 4)
