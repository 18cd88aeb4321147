"""The API itself: its parts, its description, its addresses."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI

from devices.api import console, devices, fleet, hosts, operations, problems, tokens
from devices.api.auth import SessionAuth, TokenAuth

DESCRIPTION = """\
Everything the page can do. Authenticate with a token (`Authorization: Bearer fdt_…`, made on the
page under *Tokens*) or with the page's session and its CSRF token. Errors are
`application/problem+json` whose `detail` is a sentence; `fits` says how many devices would.
"""
LOGGED_IN = frozenset({"openapi-view"})


class FleetAPI(NinjaAPI):
    """An API that answers a stranger with 401 where a page would send them to log in."""

    def _get_urls(self) -> list[URLResolver | URLPattern]:
        urls: list[Any] = super()._get_urls()
        for url in urls:
            if url.name not in LOGGED_IN:
                url.callback.login_required = False
        return urls


api = FleetAPI(
    title="fleetdash",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    auth=[TokenAuth(), SessionAuth()],
)
problems.install(api)
api.add_router("", fleet.router, tags=["fleet"])
api.add_router("", operations.router, tags=["operations"])
api.add_router("", devices.router, tags=["devices"])
api.add_router("", console.router, tags=["devices"])
api.add_router("", hosts.router, tags=["hosts"])
api.add_router("", tokens.router, tags=["tokens"])
# the last, for it takes every address that is left
api.add_router("", problems.router)
