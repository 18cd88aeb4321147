"""Keys to the API and links to the wall: made once, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from devices.errors import BadRequest, Conflict, NotFound
from devices.models import Token
from devices.services import once

PREFIXES = {
    Token.Scope.FULL: "fdt_",
    Token.Scope.READ: "fdr_",
    Token.Scope.METRICS: "fdm_",
    Token.Scope.WALL: "fdw_",
}
# those of which a program sends the key
BEARERS = (Token.Scope.FULL, Token.Scope.READ, Token.Scope.METRICS)


@dataclass(frozen=True)
class Bearer:
    """Whose key was sent, and what it opens."""

    user: AbstractBaseUser
    scope: str
    token_id: int


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def create(
    user: AbstractBaseUser,
    name: str,
    expires_at: datetime | None = None,
    scope: Token.Scope = Token.Scope.FULL,
    idempotency_key: str | None = None,
) -> tuple[Token, str]:
    """A new token and its key, which cannot be had again.

    Raises BadRequest, or Conflict when the idempotency key has made a token already.
    """
    name = name.strip()
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise BadRequest("A token needs a name of 1 to 80 characters, to know it by later.")
    key = PREFIXES[scope] + secrets.token_urlsafe(32)
    with transaction.atomic():
        if not once.is_first(user, idempotency_key, f"a token called {name}"):
            raise Conflict(
                f"This idempotency key made a token called {name} already, whose key was shown "
                "then; if it was lost, revoke that token and make a new one."
            )
        token = Token.objects.create(
            user_id=user.pk, name=name, sha256=_hash(key), expires_at=expires_at, scope=scope
        )
    return token, key


def _working(*scopes: Token.Scope) -> QuerySet[Token]:
    """Tokens of these scopes that are not revoked, not expired, and whose user is active."""
    return Token.objects.filter(scope__in=scopes, revoked_at=None, user__is_active=True).filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    )


def bearer(key: str) -> Bearer | None:
    """Whose key this is and what it opens; None when it is unknown, over, or a wall's."""
    found = _working(*BEARERS).select_related("user").filter(sha256=_hash(key)).first()
    return Bearer(found.user, found.scope, found.pk) if found else None


def user_for(key: str) -> AbstractBaseUser | None:
    """Whose key to the whole API this is; None when it does not open that."""
    found = bearer(key)
    return found.user if found and found.scope == Token.Scope.FULL else None


def works(token_id: int) -> bool:
    """Whether a program's token still opens what it opened."""
    return _working(*BEARERS).filter(id=token_id).exists()


def wall(key: str) -> int | None:
    """The id of the token whose link to the wall holds this key; None when it does not open it."""
    return _working(Token.Scope.WALL).filter(sha256=_hash(key)).values_list("id", flat=True).first()


def opens_wall(token_id: int) -> bool:
    """Whether a link to the wall still works."""
    return _working(Token.Scope.WALL).filter(id=token_id).exists()


def of(user: AbstractBaseUser) -> list[Token]:
    """A user's tokens that are not revoked, newest first."""
    return list(Token.objects.filter(user_id=user.pk, revoked_at=None).order_by("-id"))


def revoke(token_id: int, user: AbstractBaseUser) -> None:
    """End a token of this user; raises NotFound when it is not theirs."""
    mine = Token.objects.filter(id=token_id, user_id=user.pk, revoked_at=None)
    if not mine.update(revoked_at=timezone.now()):
        raise NotFound(f"You have no token {token_id}.")


def forget(before: datetime) -> None:
    """Forget tokens that were revoked, or expired, before that."""
    Token.objects.filter(Q(revoked_at__lt=before) | Q(expires_at__lt=before)).delete()
