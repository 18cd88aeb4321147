"""What every request of a person has in common: counts, and keys against asking twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from devices.errors import BadRequest, Conflict
from devices.models import Host, Operation

MOST = 10_000
MOST_KEY = 64


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


def lock_hosts() -> list[Host]:
    """All hosts, locked to the end of the transaction.

    So one request is admitted at a time: what is free, and which key was used, is looked up before
    the next one asks.
    """
    return list(Host.objects.select_for_update().order_by("id"))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who asks for what under which key; by these a request is known when it comes again."""

    actor_id: int | None
    key: str | None
    wish: str  # SHA-256 of what is asked for, in hex

    @classmethod
    def by(
        cls, actor: AbstractBaseUser | None, key: str | None, verb: str, **wish: Any
    ) -> Asked:
        """A request for `wish`, in values of JSON; raises BadRequest for a key that cannot be."""
        if key is not None and not 1 <= len(key) <= MOST_KEY:
            raise BadRequest(f"An idempotency key has 1 to {MOST_KEY} characters.")
        whole = json.dumps([verb, wish], sort_keys=True).encode()
        return cls(
            actor_id=actor.pk if actor else None, key=key, wish=hashlib.sha256(whole).hexdigest()
        )

    def earlier(self) -> Operation | None:
        """The operation that this request has made before; None when it comes for the first time.

        To be asked with the hosts locked. Raises Conflict where this person used the key for
        another wish; the keys of others are theirs.
        """
        if self.key is None:
            return None
        mine = Operation.objects.filter(actor_id=self.actor_id, idempotency_key=self.key)
        found = mine.first()
        if found is not None and found.wish != self.wish:
            raise Conflict(f"This idempotency key was used for “{found}”; use a new one.")
        return found

    def operation(self, kind: str, count: int, **columns: Any) -> Operation:
        """The operation that it makes, not saved yet."""
        return Operation(
            kind=kind, count=count, actor_id=self.actor_id, idempotency_key=self.key,
            wish=self.wish, created_at=timezone.now(), **columns,
        )
