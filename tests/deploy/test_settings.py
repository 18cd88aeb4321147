"""What the web process is opened by, as the environment says."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from fleetdash import settings

LOCAL = ["localhost", "127.0.0.1", "[::1]"]


def with_environment(monkeypatch: pytest.MonkeyPatch, **given: str) -> dict[str, Any]:
    for name in ("FLEETDASH_BIND", "FLEETDASH_ALLOWED_HOSTS", "FLEETDASH_TRUSTED_ORIGINS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(settings.__file__)


@pytest.mark.parametrize(
    ("bind", "names", "allowed"),
    [
        ("127.0.0.1", "", {*LOCAL}),
        ("127.0.0.1", "fleet.example, other.example", {*LOCAL, "fleet.example", "other.example"}),
        ("192.168.1.5", "fleet.example", {*LOCAL, "192.168.1.5", "fleet.example"}),
        ("fd00::5", "", {*LOCAL, "[fd00::5]"}),
    ],
)
def test_a_name_for_others_takes_none_from_the_machine_itself(
    monkeypatch: pytest.MonkeyPatch, bind: str, names: str, allowed: set[str]
) -> None:
    found = with_environment(monkeypatch, FLEETDASH_BIND=bind, FLEETDASH_ALLOWED_HOSTS=names)
    assert set(found["ALLOWED_HOSTS"]) == allowed


@pytest.mark.parametrize(
    ("origins", "believed"),
    [
        ("", False),
        ("http://fleet.example", False),
        ("http://a.example,https://fleet.example", True),
    ],
)
def test_a_proxy_is_believed_only_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, origins: str, believed: bool
) -> None:
    found = with_environment(monkeypatch, FLEETDASH_TRUSTED_ORIGINS=origins)
    header = ("HTTP_X_FORWARDED_PROTO", "https")
    assert found["SECURE_PROXY_SSL_HEADER"] == (header if believed else None)
