"""Where a list goes on: text to be given back as it is."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from ninja import Query

from devices.errors import BadRequest

_MOST = (1 << 63) - 1

Cursor = Annotated[
    str,
    Query(max_length=64, description="`next` of the page before; left out for the first page."),
]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]


def cursor_of(of: str, number: int) -> str:
    """The cursor with which the list called `of` goes on behind a number."""
    return base64.urlsafe_b64encode(f"{of} {number}".encode()).decode().rstrip("=")


def number_of(of: str, cursor: str) -> int | None:
    """The number in a cursor of that list; None for the first page.

    Raises BadRequest for what that list has not given.
    """
    if not cursor:
        return None
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        name, _, digits = plain.partition(" ")
        number = int(digits)
    except (binascii.Error, ValueError):
        name, number = "", -1
    if name != of or not 0 <= number <= _MOST or cursor_of(of, number) != cursor:
        raise BadRequest("The cursor is none that this list gave; begin again without one.")
    return number
