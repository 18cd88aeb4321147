"""What Daphne has taken from an application and the kernel has not taken yet.

Daphne keeps it without end (django/daphne#170), so whoever writes looks here.
"""

from __future__ import annotations

from typing import Any


def waiting_bytes(transport: Any) -> int:
    """How many bytes wait in a Twisted transport to be sent."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
