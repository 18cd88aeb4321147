"""The gateway process: `daphne fleetdash.gateway_asgi:application`."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
django.setup()

from devices.gateway import app, consumer, orders, server  # noqa: E402

server.install()
application = orders.listening(server.announced(app.application), consumer.tell)

__all__ = ["application"]
