"""The web process: pages and API over HTTP, the live socket at /live/."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

from django.core.asgi import get_asgi_application

_pages = get_asgi_application()

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path, re_path

from devices.live.consumers import LiveConsumer, Nowhere
from devices.live.wall_links import WallLinks
from fleetdash import direct, direct_sockets, streams
from fleetdash.static_serving import StaticFiles

direct_sockets.install()
streams.install()

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(_pages),
        "websocket": direct.announced(
            AllowedHostsOriginValidator(
                AuthMiddlewareStack(
                    URLRouter(
                        [
                            path("live/", WallLinks(LiveConsumer.as_asgi())),
                            re_path("", Nowhere.as_asgi()),
                        ]
                    )
                )
            )
        ),
    }
)
