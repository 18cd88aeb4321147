"""Keys to the API and links to the wall: make one, end one."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from devices.errors import BadRequest, FleetError
from devices.models import Token
from devices.services import tokens
from devices.views.sentences import says_errors

# what a program's token may do, and how long it may work, as the page offers it
SCOPES = (
    (Token.Scope.FULL, "do all that you can"),
    (Token.Scope.READ, "look only"),
    (Token.Scope.METRICS, "read /metrics only"),
)
DAYS = ((0, "for ever"), (7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"))


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
        try:
            scope, expires_at = _scope(request), _expiry(request)
            _, key = tokens.create(user, request.POST.get("name", ""), expires_at, scope)
        except FleetError as error:
            problem, status = str(error), error.status
    if key and wall:
        link = request.build_absolute_uri(f"{reverse('wall')}?kiosk&key={key}")
    context = {
        "tokens": tokens.of(user), "key": "" if wall else key, "link": link, "problem": problem,
        "here": "tokens", "scopes": SCOPES, "days": DAYS,
    }
    return render(request, "tokens.html", context, status=status)


def _scope(request: HttpRequest) -> Token.Scope:
    given = request.POST.get("scope") or Token.Scope.FULL
    if given not in Token.Scope.values:
        raise BadRequest("Choose what the token may do.")
    return Token.Scope(given)


def _expiry(request: HttpRequest) -> datetime | None:
    given = request.POST.get("days") or "0"
    if given not in {str(number) for number, _ in DAYS}:
        raise BadRequest("Choose how long it is to work.")
    return timezone.now() + timedelta(days=int(given)) if int(given) else None


@require_POST
@says_errors
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """End one of the user's own tokens."""
    tokens.revoke(token_id, _user(request))
    return redirect("tokens")
