from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

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
