"""The app's registration."""

from __future__ import annotations

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    """The fleet."""

    name = "devices"
    default_auto_field = "django.db.models.BigAutoField"
