"""Doing a thing once, however often the same request comes."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from devices.errors import Conflict
from devices.models import AskedOnce


def is_first(user: AbstractBaseUser | None, key: str | None, what: str) -> bool:
    """Whether this person asks for this under this key for the first time.

    So it is always where there is no key, or nobody. To be called in the transaction that does the
    thing. Raises Conflict when the key was used for something else.
    """
    if key is None or user is None:
        return True
    what = what[:200]
    try:
        with transaction.atomic():
            AskedOnce.objects.create(user_id=user.pk, key=key, what=what, at=timezone.now())
    except IntegrityError:
        earlier = AskedOnce.objects.get(user_id=user.pk, key=key)
        if earlier.what != what:
            raise Conflict(
                f"This idempotency key was used for “{earlier.what}”; use a new one."
            ) from None
        return False
    return True


def forget(before: datetime) -> None:
    """Forget what was asked before that."""
    AskedOnce.objects.filter(at__lt=before).delete()
