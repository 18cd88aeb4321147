"""Middleware that changes each response, whichever way it was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

GetResponse = Callable[[HttpRequest], Any]


def each_response(
    change: Callable[[HttpRequest, HttpResponseBase], None],
) -> Callable[[GetResponse], GetResponse]:
    """A middleware, for synchronous and asynchronous views, that calls `change` on each answer."""

    @sync_and_async_middleware
    def middleware(get_response: GetResponse) -> GetResponse:
        if iscoroutinefunction(get_response):

            async def asynchronous(request: HttpRequest) -> HttpResponseBase:
                response: HttpResponseBase = await get_response(request)
                change(request, response)
                return response

            return asynchronous

        def synchronous(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = get_response(request)
            change(request, response)
            return response

        return synchronous

    result: Callable[[GetResponse], GetResponse] = middleware
    return result
