"""A page that shows a made-up fleet says so, and lets nobody change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from devices.views.sentences import sentence

SENTENCE = "This fleet is simulated: none of its devices exists, so nothing can be done to them."
ALLOWED = ("/login/", "/logout/", "/devices/still-listed")
READING = frozenset({"GET", "HEAD", "OPTIONS"})


def context(request: HttpRequest) -> dict[str, Any]:
    """For templates: whether what is shown is made up."""
    return {"simulated": settings.SIMULATED}


def refuse_changes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware of a simulated fleet: 409 and a sentence for whatever is not reading."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.method in READING or request.path in ALLOWED:
            return get_response(request)
        if request.path.startswith("/api/"):
            return JsonResponse({"detail": SENTENCE}, status=409)
        return sentence(request, SENTENCE, 409)

    return answer
