from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from devices.models import Token
from devices.services import retention, tokens

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def test_sessions_that_are_over_are_deleted() -> None:
    over, open_ = SessionStore(), SessionStore()
    over.set_expiry(timezone.now() - timedelta(seconds=1))
    for each in (over, open_):
        each.create()
    retention.tidy()
    assert [each.session_key for each in Session.objects.all()] == [open_.session_key]


def test_tokens_that_ended_a_month_ago_are_deleted() -> None:
    ada, now = User.objects.create_user("ada"), timezone.now()
    long_ago, lately = now - timedelta(days=31), now - timedelta(days=29)
    for name, revoked_at, expires_at in (
        ("works", None, None),
        ("works for now", None, now + timedelta(days=1)),
        ("revoked lately", lately, None),
        ("expired lately", None, lately),
        ("revoked", long_ago, None),
        ("expired", None, long_ago),
    ):
        token, _ = tokens.create(ada, name, expires_at)
        Token.objects.filter(id=token.id).update(revoked_at=revoked_at)
    retention.tidy()
    assert set(Token.objects.values_list("name", flat=True)) == {
        "works", "works for now", "revoked lately", "expired lately",
    }  # fmt: skip
