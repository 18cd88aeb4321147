"""Keys to the API: made once, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q
from django.utils import timezone

from devices.errors import BadRequest, NotFound
from devices.models import Token

PREFIX = "fdt_"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def create(
    user: AbstractBaseUser, name: str, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """A new token and its key, which cannot be had again."""
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise BadRequest("A token needs a name of 1 to 80 characters, to know it by later.")
    key = PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(
        user_id=user.pk, name=name, sha256=_hash(key), expires_at=expires_at
    )
    return token, key


def user_for(key: str) -> AbstractBaseUser | None:
    """Whose key this is; None when it is unknown, revoked, expired or its user is inactive."""
    token = (
        Token.objects.select_related("user")
        .filter(sha256=_hash(key), revoked_at=None, user__is_active=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        .first()
    )
    return token.user if token else None


def of(user: AbstractBaseUser) -> list[Token]:
    """A user's tokens that still work, newest first."""
    return list(Token.objects.filter(user_id=user.pk, revoked_at=None).order_by("-id"))


def revoke(token_id: int, user: AbstractBaseUser) -> None:
    """End a token of this user; raises NotFound when it is not theirs."""
    mine = Token.objects.filter(id=token_id, user_id=user.pk, revoked_at=None)
    if not mine.update(revoked_at=timezone.now()):
        raise NotFound(f"You have no token {token_id}.")
