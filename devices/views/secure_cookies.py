"""Cookies that were given over TLS come back over TLS only."""

from __future__ import annotations

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from devices.views.csp import GetResponse


def _mark(request: HttpRequest, response: HttpResponseBase) -> None:
    if request.is_secure():
        for cookie in response.cookies.values():
            cookie["secure"] = True


@sync_and_async_middleware
def secure_cookies(get_response: GetResponse) -> GetResponse:
    """Middleware: marks every cookie as Secure where the request was, and only there.

    So the same fleet is opened over TLS through a proxy and over plain HTTP on its own machine.
    """
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            _mark(request, response)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        _mark(request, response)
        return response

    return synchronous
