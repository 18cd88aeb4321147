"""The API alone, for tests of it."""

from __future__ import annotations

from django.urls import path

from devices.api import api

urlpatterns = [path("api/v1/", api.urls)]
