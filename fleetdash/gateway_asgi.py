"""The gateway process: `daphne fleetdash.gateway_asgi:application`."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
django.setup()

from devices.gateway import server  # noqa: E402
from devices.gateway.app import application  # noqa: E402

server.install()

__all__ = ["application"]
