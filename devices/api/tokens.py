"""Tokens: one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Router, Status

from devices.api.auth import actor
from devices.api.operations import IdempotencyKey
from devices.api.schemas import NewTokenOut, ProblemOut, TokenIn, TokensOut
from devices.models import Token
from devices.services import tokens as service

router = Router()


@router.get("/tokens", response=TokensOut, summary="Your tokens")
def mine(request: HttpRequest) -> dict[str, Any]:
    """Your tokens that are not revoked, newest first."""
    return {"tokens": service.of(actor(request))}


@router.post(
    "/tokens",
    response={201: NewTokenOut, 409: ProblemOut, 422: ProblemOut},
    summary="Make a token",
)
def create(
    request: HttpRequest, wish: TokenIn, idempotency_key: IdempotencyKey = None
) -> Status[dict[str, Any]]:
    """Make a token; its key is shown this once, so the same `Idempotency-Key` is refused (409)."""
    expires_at = None
    if wish.expires_in_days is not None:
        expires_at = timezone.now() + timedelta(days=wish.expires_in_days)
    token, key = service.create(
        actor(request), wish.name, expires_at, Token.Scope(wish.scope), idempotency_key
    )
    given = {
        "id": token.pk,
        "name": token.name,
        "scope": token.scope,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "key": key,
    }
    return Status(201, given)


@router.delete(
    "/tokens/{token_id}", response={204: None, 404: ProblemOut}, summary="Revoke a token"
)
def revoke(request: HttpRequest, token_id: Annotated[int, Path(ge=1, lt=1 << 63)]) -> Status[None]:
    """End one of your tokens."""
    service.revoke(token_id, actor(request))
    return Status(204, None)
