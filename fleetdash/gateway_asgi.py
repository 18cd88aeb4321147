"""The gateway process: `daphne fleetdash.gateway_asgi:application`."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
django.setup()

from devices.gateway import app, background, consumer, server  # noqa: E402

server.install()
background.begin(consumer.tell)
application = server.announced(app.application)

__all__ = ["application"]
