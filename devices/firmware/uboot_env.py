"""U-Boot's environment as bytes: a CRC-32, then `name=value` strings, NUL after each.

The same form serves the boot-loader's own settings and the Nerves keys on the disk (not redundant;
U-Boot's `env/common.c` and `tools/mkenvimage.c`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from devices.firmware.errors import BadEnvironment

NERVES_BYTES = 128 * 1024
FLASH_BYTES = 256 * 1024
FLASH_ADDRESS = 0x4000000
_CRC = struct.Struct("<I")


def encode(variables: Mapping[str, str], *, size: int = NERVES_BYTES) -> bytes:
    """The environment as exactly `size` bytes, sorted by name.

    Raises `BadEnvironment` for a name or value that cannot be written, or too many of them.
    """
    entries = bytearray()
    for name in sorted(variables):
        value = variables[name]
        if not name or "=" in name or "\0" in name or not name.isascii():
            raise BadEnvironment(f"{name!r} cannot be the name of a boot-loader variable.")
        if "\0" in value:
            raise BadEnvironment(f"The boot-loader variable {name} holds a NUL byte.")
        if value:
            entries += f"{name}={value}".encode() + b"\0"
    entries += b"\0"
    room = size - _CRC.size
    if len(entries) > room:
        raise BadEnvironment(
            f"The boot-loader's environment needs {len(entries)} bytes and has {room}."
        )
    data = bytes(entries).ljust(room, b"\0")
    return _CRC.pack(zlib.crc32(data)) + data


def decode(raw: bytes) -> dict[str, str]:
    """The variables; raises `BadEnvironment` when the checksum says the write was torn."""
    if len(raw) <= _CRC.size:
        raise BadEnvironment(f"A boot-loader environment of {len(raw)} bytes is truncated.")
    data = raw[_CRC.size :]
    if _CRC.unpack_from(raw)[0] != zlib.crc32(data):
        raise BadEnvironment("The boot-loader's environment is damaged: its checksum is wrong.")
    variables = {}
    for entry in data.split(b"\0\0", 1)[0].split(b"\0"):
        name, separator, value = entry.partition(b"=")
        if separator:
            variables[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return variables
