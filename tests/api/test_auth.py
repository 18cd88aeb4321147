from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from devices.api import auth
from devices.models import Operation
from devices.services import tokens

pytestmark = [pytest.mark.urls("tests.api.urls"), pytest.mark.usefixtures("a_fleet")]

WISH = {"kind": "add", "count": 1}


def ask(client: Client, **headers: str) -> int:
    answer = client.post(
        "/api/v1/operations", WISH, content_type="application/json", headers=headers
    )
    if answer.status_code >= 400:
        assert answer["content-type"] == "application/problem+json"
        assert answer.json()["detail"].endswith(".")
        assert not Operation.objects.exists()
    return answer.status_code


def test_without_a_token_it_is_401() -> None:
    assert ask(Client()) == 401
    answer = Client().get("/api/v1/summary")
    assert answer.status_code == 401
    assert answer["www-authenticate"] == "Bearer"


def test_with_a_token_it_works_and_the_actor_is_known(client: Client) -> None:
    assert ask(client) == 201
    operation = Operation.objects.get()
    assert operation.actor is not None
    assert operation.actor.get_username() == "ada"


@pytest.mark.parametrize("value", ["Bearer nonsense", "Bearer ", "Basic YTpi", "Bearer"])
def test_a_wrong_token_is_401(value: str) -> None:
    assert ask(Client(), authorization=value) == 401


def test_a_wrong_token_is_401_even_with_a_session(browser: Client) -> None:
    assert ask(browser, authorization="Bearer nonsense") == 401


def test_a_revoked_and_an_expired_token_are_401(user: User) -> None:
    token, revoked = tokens.create(user, "revoked")
    tokens.revoke(token.pk, user)
    _, expired = tokens.create(user, "old", timezone.now() - timedelta(seconds=1))
    for key in (revoked, expired):
        assert ask(Client(), authorization=f"Bearer {key}") == 401


def test_a_session_may_read_and_needs_a_csrf_token_to_change(browser: Client) -> None:
    assert browser.get("/api/v1/summary").status_code == 200
    assert ask(browser) == 403
    browser.cookies[project.CSRF_COOKIE_NAME] = "a" * 32
    assert ask(browser, **{"x-csrftoken": "b" * 32}) == 403
    assert ask(browser, **{"x-csrftoken": "a" * 32}) == 201


def test_a_stranger_with_a_csrf_token_is_still_401() -> None:
    stranger = Client(enforce_csrf_checks=True)
    stranger.cookies[project.CSRF_COOKIE_NAME] = "a" * 32
    assert ask(stranger, **{"x-csrftoken": "a" * 32}) == 401


def test_tokens_are_made_listed_and_revoked(client: Client) -> None:
    made = client.post(
        "/api/v1/tokens", {"name": "laptop", "expires_in_days": 7}, content_type="application/json"
    )
    assert made.status_code == 201
    key = made.json()["key"]
    other = Client(headers={"authorization": f"Bearer {key}"})
    listed = other.get("/api/v1/tokens").json()["tokens"]
    assert [token["name"] for token in listed] == ["laptop", "test"]
    assert all("key" not in token and "sha256" not in token for token in listed)
    token_id = made.json()["id"]
    assert client.delete(f"/api/v1/tokens/{token_id}").status_code == 204
    assert other.get("/api/v1/tokens").status_code == 401
    assert client.delete(f"/api/v1/tokens/{token_id}").status_code == 404


@pytest.mark.parametrize(
    "wish",
    [{}, {"name": ""}, {"name": " "}, {"name": "x" * 81}, {"name": "x", "expires_in_days": 0}],
)
def test_a_token_of_another_form_is_422(client: Client, wish: dict[str, object]) -> None:
    answer = client.post("/api/v1/tokens", wish, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(".")


def test_the_docs_want_a_log_in_and_the_description_does_not(settings: Settings) -> None:
    settings.LOGIN_URL = "/login/"
    login_is_needed = Client().get("/api/v1/docs")
    assert login_is_needed["location"] == "/login/?next=/api/v1/docs"
    described = Client().get("/api/v1/openapi.json")
    assert described.status_code == 200
    paths = described.json()["paths"]
    assert {"/api/v1/devices/{serial}", "/api/v1/operations/{operation_id}/retry"} <= paths.keys()


def test_a_stream_that_a_session_opened_is_let_go_on_while_that_holds(user: User) -> None:
    client = Client()
    client.force_login(user)
    request = RequestFactory().get("/api/v1/events")
    request.session = client.session
    admitted = auth.admission(request)
    assert admitted()
    user.set_password("another")
    user.save()
    assert not admitted()
