from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from devices.errors import BadRequest, NotFound
from devices.models import Token
from devices.services import tokens

pytestmark = pytest.mark.django_db


def test_a_key_opens_until_it_is_revoked_and_is_stored_as_a_hash() -> None:
    ada = User.objects.create_user("ada")
    token, key = tokens.create(ada, "laptop")
    assert tokens.user_for(key) == ada
    assert key not in str(Token.objects.values().get())
    tokens.revoke(token.id, ada)
    assert tokens.user_for(key) is None


def test_an_expired_key_and_an_inactive_user_are_refused() -> None:
    ada = User.objects.create_user("ada")
    _, late = tokens.create(ada, "late", timezone.now() - timedelta(seconds=1))
    _, key = tokens.create(ada, "good")
    assert tokens.user_for(late) is None
    User.objects.update(is_active=False)
    assert tokens.user_for(key) is None


def test_nobody_revokes_another_ones_token_and_names_are_needed() -> None:
    ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
    token, key = tokens.create(ada, "laptop")
    with pytest.raises(NotFound):
        tokens.revoke(token.id, bob)
    assert tokens.user_for(key) == ada
    with pytest.raises(BadRequest):
        tokens.create(ada, "  ")
