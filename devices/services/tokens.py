"""Keys to the API and links to the wall: made once, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from devices.errors import BadRequest, NotFound
from devices.models import Token

PREFIXES = {Token.Scope.FULL: "fdt_", Token.Scope.WALL: "fdw_"}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def create(
    user: AbstractBaseUser,
    name: str,
    expires_at: datetime | None = None,
    scope: Token.Scope = Token.Scope.FULL,
) -> tuple[Token, str]:
    """A new token and its key, which cannot be had again."""
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise BadRequest("A token needs a name of 1 to 80 characters, to know it by later.")
    key = PREFIXES[scope] + secrets.token_urlsafe(32)
    token = Token.objects.create(
        user_id=user.pk, name=name, sha256=_hash(key), expires_at=expires_at, scope=scope
    )
    return token, key


def _working(scope: Token.Scope) -> QuerySet[Token]:
    """Tokens of a scope that are not revoked, not expired, and whose user is active."""
    return Token.objects.filter(scope=scope, revoked_at=None, user__is_active=True).filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    )


def user_for(key: str) -> AbstractBaseUser | None:
    """Whose key to the API this is; None when it is unknown, revoked, expired or for a wall."""
    found = _working(Token.Scope.FULL).select_related("user").filter(sha256=_hash(key)).first()
    return found.user if found else None


def wall(key: str) -> int | None:
    """The id of the token whose link to the wall holds this key; None when it does not open it."""
    return _working(Token.Scope.WALL).filter(sha256=_hash(key)).values_list("id", flat=True).first()


def opens_wall(token_id: int) -> bool:
    """Whether a link to the wall still works."""
    return _working(Token.Scope.WALL).filter(id=token_id).exists()


def of(user: AbstractBaseUser) -> list[Token]:
    """A user's tokens that still work, newest first."""
    return list(Token.objects.filter(user_id=user.pk, revoked_at=None).order_by("-id"))


def revoke(token_id: int, user: AbstractBaseUser) -> None:
    """End a token of this user; raises NotFound when it is not theirs."""
    mine = Token.objects.filter(id=token_id, user_id=user.pk, revoked_at=None)
    if not mine.update(revoked_at=timezone.now()):
        raise NotFound(f"You have no token {token_id}.")
