"""A strict Content-Security-Policy on every answer: nothing inline, nothing from elsewhere."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from devices.views.each_response import each_response

HEADER = "Content-Security-Policy"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def _set(request: HttpRequest, response: HttpResponseBase) -> None:
    response.headers.setdefault(HEADER, POLICY)
    response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")


content_security_policy = each_response(_set)
