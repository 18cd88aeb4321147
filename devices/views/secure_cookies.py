"""Cookies that were given over TLS come back over TLS only.

So the same fleet is opened over TLS through a proxy and over plain HTTP on its own machine.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from devices.views.each_response import each_response


def _mark(request: HttpRequest, response: HttpResponseBase) -> None:
    if request.is_secure():
        for cookie in response.cookies.values():
            cookie["secure"] = True


secure_cookies = each_response(_mark)
