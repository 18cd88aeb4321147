from __future__ import annotations

from django.test import Client
from pytest_django import Settings


def test_the_docs_page_has_every_address_and_loads_nothing_from_elsewhere(
    browser: Client, settings: Settings
) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    page = browser.get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    described = browser.get("/api/v1/openapi.json").json()["paths"]
    assert all(path in text for path in described)
    assert 'href="#shape-OperationIn"' in text and 'id="shape-OperationIn"' in text
    assert "http://" not in text and "https://" not in text
    assert "unsafe-inline" not in page["content-security-policy"]
