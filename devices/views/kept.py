"""Whether a browser may keep an answer: no, unless the answer says so itself.

A browser that goes back draws a page it has kept without asking, as the fleet was then, and even
after the log-out.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from devices.views.each_response import each_response

HEADER = "Cache-Control"


def _forbid(request: HttpRequest, response: HttpResponseBase) -> None:
    response.headers.setdefault(HEADER, "no-store")


nothing_is_kept = each_response(_forbid)
