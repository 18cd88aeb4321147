from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from devices.models import Token
from devices.services import tokens

pytestmark = pytest.mark.django_db


def test_a_token_is_made_shown_once_and_revoked(client: Client, htmx: Any, anna: User) -> None:
    page = htmx("/tokens/", {"name": "ci"}).content.decode()
    found = re.search(r"fdt_[\w-]+", page)
    assert found
    assert tokens.user_for(found[0]) == anna
    again = client.get("/tokens/").content.decode()
    assert found[0] not in again and "ci" in again
    assert htmx(f"/tokens/{Token.objects.get().id}/revoke").status_code == 302
    assert tokens.user_for(found[0]) is None


def test_a_token_needs_a_name(htmx: Any) -> None:
    answer = htmx("/tokens/", {"name": " "})
    assert answer.status_code == 422
    assert "A token needs a name" in answer.content.decode()
    assert not Token.objects.exists()


def test_somebody_elses_token_stays(htmx: Any, anna: User) -> None:
    other, key = tokens.create(User.objects.create_user("berta"), "hers")
    assert htmx(f"/tokens/{other.id}/revoke").status_code == 404
    assert tokens.user_for(key) is not None


def test_what_a_token_may_do_and_how_long_is_chosen(htmx: Any, anna: User) -> None:
    page = htmx("/tokens/", {"name": "looks", "scope": "read", "days": "7"}).content.decode()
    found = re.search(r"fdr_[\w-]+", page)
    assert found
    bearer = tokens.bearer(found[0])
    assert bearer is not None and (bearer.user, bearer.scope) == (anna, "read")
    expires_at = Token.objects.get().expires_at
    assert expires_at is not None
    assert timedelta(days=6) < expires_at - timezone.now() < timedelta(days=8)


@pytest.mark.parametrize("wish", [{"scope": "root"}, {"days": "-1"}, {"days": "x"}])
def test_what_is_not_offered_is_refused(htmx: Any, wish: dict[str, str]) -> None:
    assert htmx("/tokens/", {"name": "x", **wish}).status_code == 422
    assert not Token.objects.exists()
