"""U-Boot's ROM for a PC with our environment in place of the one it was built with.

That board keeps no environment anywhere else (`CONFIG_ENV_IS_NOWHERE`), and the one built in is
plain text: `name=value` strings, a NUL after each and one more at the end (U-Boot's
`env/common.c`). Nothing in the ROM is checked against a sum.
"""

from __future__ import annotations

from collections.abc import Mapping

from devices.firmware.errors import BuildFailed

_BEGINS = b"bootargs=root="
_ENDS = b"\0\0"
# without these it would look for a screen and a keyboard that are not there
CONSOLE = {"stdin": "serial", "stdout": "serial", "stderr": "serial", "baudrate": "115200"}


def with_environment(rom: bytes, variables: Mapping[str, str]) -> bytes:
    """The ROM with these variables alone; raises `BuildFailed` when they do not fit."""
    if rom.count(_BEGINS) != 1:
        raise BuildFailed("The boot-loader's ROM does not have its environment where it should be.")
    start = rom.index(_BEGINS)
    room = rom.index(_ENDS, start) + len(_ENDS) - start
    entries = {**CONSOLE, **variables}
    text = b"".join(f"{name}={entries[name]}".encode() + b"\0" for name in sorted(entries)) + b"\0"
    if len(text) > room:
        raise BuildFailed(f"The boot-loader's environment takes {len(text)} bytes and has {room}.")
    return rom[:start] + text.ljust(room, b"\0") + rom[start + room :]
