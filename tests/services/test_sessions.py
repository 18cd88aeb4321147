from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from devices.services import sessions

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna", password="a long one")


@pytest.fixture
def key(anna: User) -> str:
    client = Client()
    client.force_login(anna)
    return str(client.session.session_key)


def test_who_has_logged_in_is_let_in(key: str) -> None:
    assert sessions.holds(key)
    assert not sessions.holds("")
    assert not sessions.holds("a" * 32)


def test_a_session_ends_with_its_password_and_is_not_touched(anna: User, key: str) -> None:
    anna.set_password("another")
    anna.save()
    assert not sessions.holds(key)
    assert Session.objects.filter(session_key=key).exists()


def test_a_session_ends_with_its_user(anna: User, key: str) -> None:
    User.objects.update(is_active=False)
    assert not sessions.holds(key)
    User.objects.update(is_active=True)
    assert sessions.holds(key)
    anna.delete()
    assert not sessions.holds(key)


def test_a_session_ends_by_itself(key: str) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not sessions.holds(key)


def test_one_who_has_not_logged_in_is_not_let_in() -> None:
    client = Client()
    session = client.session
    session["seen"] = True
    session.save()
    assert not sessions.holds(str(session.session_key))
