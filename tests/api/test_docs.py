from __future__ import annotations

from django.test import Client
from pytest_django import Settings


def test_the_docs_page_loads_nothing_from_elsewhere(browser: Client, settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    page = browser.get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    assert "/static/ninja/swagger-ui-bundle.js" in text
    assert "//" not in text.replace("</", "")
