"""What every request of a person has in common: counts, and keys against asking twice."""

from __future__ import annotations

from devices.errors import BadRequest, Conflict
from devices.models import Operation

MOST = 10_000


def check_count(count: object) -> int:
    """The count, if it is a whole number from 1 to 10,000; raises BadRequest otherwise."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise BadRequest(f"{short(count)} is not a whole number from 1 to {MOST:,}.")
    return count


def short(value: object) -> str:
    """A value as people may be shown it, whatever it is."""
    try:
        text = str(value)
    except ValueError:  # a number too long for Python to print
        return "That"
    return text if len(text) <= 40 else text[:40] + "…"


def repeated(key: str | None, kind: str, count: int | None) -> Operation | None:
    """The operation that was asked for with this key before; None when there is none.

    `count` is None where it follows from a filter, which may match others by now. Raises
    BadRequest for a key that cannot be, Conflict for one of another request.
    """
    if key is None:
        return None
    if not 1 <= len(key) <= 64:
        raise BadRequest("An idempotency key has 1 to 64 characters.")
    earlier = Operation.objects.filter(idempotency_key=key).first()
    if earlier is not None and (
        earlier.kind != kind or (count is not None and earlier.count != count)
    ):
        raise Conflict(f"This idempotency key was used for “{earlier}”; use a new one.")
    return earlier
