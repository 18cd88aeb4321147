from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from devices.services import bus, dispatch
from tests.rows import a_firmware, a_host, a_sample


@pytest.fixture(autouse=True)
def plain_static_files(settings: Settings, tmp_path: Path) -> None:
    """No collected files are needed to render a page."""
    settings.STATIC_ROOT = tmp_path
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def the_sample(**values: Any) -> dict[str, Any]:
    """A host's whole sample."""
    sample = a_sample(**values)
    sample["cpu"] |= {"online": 2}
    return sample


class Outside:
    """What the pages would hear from Redis, and what they would send to workers."""

    def __init__(self) -> None:
        self.samples: dict[str, dict[str, Any]] = {}
        self.consoles: dict[str, bytes] = {}
        self.merging: dict[str, dict[str, Any]] = {}
        self.dispatched: list[tuple[str, str]] = []


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """No Redis: the bus says what the test puts here."""
    heard = Outside()
    monkeypatch.setattr(bus, "host_sample", lambda name: heard.samples.get(name))
    monkeypatch.setattr(bus, "pss", lambda name: {})
    monkeypatch.setattr(bus, "template_status", lambda name, *_: None)
    monkeypatch.setattr(bus, "merging_status", lambda name: heard.merging.get(name))
    monkeypatch.setattr(bus, "console", lambda serial: heard.consoles.get(serial, b""))
    monkeypatch.setattr(bus, "publish_changes", lambda *args, **kwargs: None)
    monkeypatch.setattr(dispatch, "to_host", lambda *args: heard.dispatched.append(args))
    yield heard


@pytest.fixture
def fleet_host(db: None, outside: Outside) -> Any:
    """A host that has room, and a firmware."""
    host = a_host("here", accelerators={
        "arm64": {
            "accelerator": "tcg", "seconds": 3.4, "qemu_version": "7.2.22",
            "refused": {"kvm": "The guest is arm64 and this machine is x64."},
        },
    }, missing_protections=["Guests run as the user that started fleetdash."])
    a_firmware()
    outside.samples["here"] = the_sample()
    return host


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna", password="a long password")


@pytest.fixture
def client(anna: User) -> Client:
    """Anna's browser, which checks CSRF as a real one is checked."""
    made = Client(enforce_csrf_checks=True)
    made.force_login(anna)
    return made


@pytest.fixture
def htmx(client: Client, anna: User) -> Any:
    """Post as the page's buttons do."""
    client.get("/login/")  # a logged-in visitor is sent on; the token comes from any page
    token = client.get("/tokens/").cookies
    value = next(morsel.value for name, morsel in token.items() if "csrf" in name)

    def post(address: str, data: dict[str, Any] | None = None, **headers: str) -> Any:
        return client.post(
            address, data or {}, headers={"HX-Request": "true", "X-CSRFToken": value, **headers}
        )

    return post
