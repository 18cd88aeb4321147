"""The API itself: its parts, its description, its addresses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from devices.api import (
    console,
    description,
    devices,
    events,
    fleet,
    history,
    hosts,
    operations,
    outcomes,
    problems,
    tokens,
    views,
)
from devices.api.auth import SessionAuth, TokenAuth
from devices.api.parsing import JsonParser
from devices.api.reference import Reference

DESCRIPTION = """\
Everything the page can do.

Who asks: a token (Authorization: Bearer fdt_…, made on the page under Tokens) or the page's
session with its CSRF token. A token of scope full does what its user can, read looks only,
metrics opens /metrics and nothing here.

Asking twice: what changes something takes an Idempotency-Key of your choice: the same request
with the same key is done once.

Lists give some and next; asked again with cursor set to that, they go on, until it is null.

Errors are application/problem+json (RFC 9457) whose detail is a sentence; fits says how
many devices would fit.
"""
LOGGED_IN = frozenset({"openapi-view"})


class FleetAPI(NinjaAPI):
    """Answers with problems where a page would redirect, and describes itself whole."""

    def _get_urls(self) -> list[URLResolver | URLPattern]:
        urls: list[Any] = super()._get_urls()
        for url in urls:
            url.callback = _with_problems(url.callback)
            # a stranger is told 401 where a page would send them to log in
            url.callback.login_required = url.name in LOGGED_IN
        return urls

    def get_openapi_schema(self, **given: Any) -> OpenAPISchema:
        """The OpenAPI document."""
        document = super().get_openapi_schema(**given)
        description.corrected(document)
        return document

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of an operation: its part of the API and its function."""
        function = operation.view_func
        return f"{function.__module__.rpartition('.')[2]}_{function.__name__}"


def _with_problems(view: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def later(request: HttpRequest, *given: Any, **named: Any) -> HttpResponseBase:
            return problems.refused_method(request, await view(request, *given, **named))

        return markcoroutinefunction(later)

    @functools.wraps(view)
    def now(request: HttpRequest, *given: Any, **named: Any) -> HttpResponseBase:
        return problems.refused_method(request, view(request, *given, **named))

    return now


api = FleetAPI(
    title="fleetdash",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    auth=[TokenAuth(), SessionAuth()],
    parser=JsonParser(),
    docs=Reference(),
)
problems.install(api)
api.add_router("", fleet.router, tags=["fleet"])
api.add_router("", events.router, tags=["fleet"])
api.add_router("", operations.router, tags=["operations"])
api.add_router("", outcomes.router, tags=["operations"])
api.add_router("", devices.router, tags=["devices"])
api.add_router("", console.router, tags=["devices"])
api.add_router("", history.router, tags=["fleet"])
api.add_router("", views.router, tags=["devices"])
api.add_router("", hosts.router, tags=["hosts"])
api.add_router("", tokens.router, tags=["tokens"])
# the last, for it takes every address that is left
api.add_router("", problems.router)
