"""Keys to the API and links to the wall: make one, end one."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from devices.errors import FleetError
from devices.models import Token
from devices.services import tokens
from devices.views.sentences import says_errors


def _user(request: HttpRequest) -> AbstractBaseUser:
    assert isinstance(request.user, AbstractBaseUser)
    return request.user


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_page(request: HttpRequest) -> HttpResponse:
    """The tokens of whoever asks; a POST makes one and shows its key this once."""
    user = _user(request)
    key, link, problem, status = "", "", "", 200
    wall = request.POST.get("scope") == Token.Scope.WALL
    if request.method == "POST":
        scope = Token.Scope.WALL if wall else Token.Scope.FULL
        try:
            _, key = tokens.create(user, request.POST.get("name", ""), scope=scope)
        except FleetError as error:
            problem, status = str(error), error.status
    if key and wall:
        link = request.build_absolute_uri(f"{reverse('wall')}?kiosk&key={key}")
    context = {
        "tokens": tokens.of(user), "key": "" if wall else key, "link": link, "problem": problem,
        "here": "tokens",
    }
    return render(request, "tokens.html", context, status=status)


@require_POST
@says_errors
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """End one of the user's own tokens."""
    tokens.revoke(token_id, _user(request))
    return redirect("tokens")
