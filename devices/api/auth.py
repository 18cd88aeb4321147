"""Who asks: a token, or the page's session with its CSRF token."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NoReturn, cast

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from ninja.errors import AuthenticationError, HttpError
from ninja.security import APIKeyCookie, HttpBearer

from devices.models import Token
from devices.services import sessions, tokens

NO_TOKEN = "This needs a token (Authorization: Bearer …) or a log-in; make a token on the page."
BAD_TOKEN = "The token is unknown, revoked or expired; make a new one on the page."
NO_CSRF = "The CSRF token is missing or wrong; load the page again, or use a token."
READ_ONLY = "This token may look and change nothing; use one of scope full."
METRICS_ONLY = "This token opens /metrics and nothing else; use one of scope read or full."
LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


def actor(request: HttpRequest) -> AbstractBaseUser:
    """The user whose token or session this request carries."""
    return cast(AbstractBaseUser, request.auth)  # type: ignore[attr-defined]


def token_id(request: HttpRequest) -> int | None:
    """The id of the token this request carries; None for a session."""
    return cast("int | None", getattr(request, "token_id", None))


def refuse(sentence: str) -> NoReturn:
    """Answer 401 with a sentence."""
    raise AuthenticationError(message=sentence)


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        # the middleware's own answer is a page
        return HttpResponseForbidden(reason)


def _csrf_is_right(request: HttpRequest) -> bool:
    check = _CsrfCheck(lambda request: HttpResponse())
    request.csrf_processing_done = False  # type: ignore[attr-defined]
    check.process_request(request)
    return check.process_view(request, lambda request: HttpResponse(), (), {}) is None


class TokenAuth(HttpBearer):
    """`Authorization: Bearer <token>`; a wrong token is refused whatever else is sent."""

    def authenticate(self, request: HttpRequest, token: str) -> AbstractBaseUser:
        """Whose token it is; raises AuthenticationError, or HttpError 403 beyond its scope."""
        found = tokens.bearer(token.strip())
        if found is None:
            refuse(BAD_TOKEN)
        if found.scope == Token.Scope.METRICS:
            raise HttpError(403, METRICS_ONLY)
        if found.scope == Token.Scope.READ and request.method not in LOOKING:
            raise HttpError(403, READ_ONLY)
        request.token_id = found.token_id  # type: ignore[attr-defined]
        return found.user


class SessionAuth(APIKeyCookie):
    """The page's session; what changes something needs the CSRF token as well."""

    param_name = settings.SESSION_COOKIE_NAME

    def _get_key(self, request: HttpRequest) -> str | None:
        # CSRF is checked once there is a session to misuse: a stranger is told 401, not 403
        return request.COOKIES.get(self.param_name)

    def authenticate(self, request: HttpRequest, key: str | None) -> AbstractBaseUser:
        """Who is logged in; raises AuthenticationError, or HttpError 403 without CSRF token."""
        if not request.user.is_authenticated:
            refuse(NO_TOKEN)
        if not _csrf_is_right(request):
            raise HttpError(403, NO_CSRF)
        return request.user


def admission(request: HttpRequest) -> Callable[[], bool]:
    """Asks the database whether who sent this request would still be let in."""
    token = token_id(request)
    if token is not None:
        return partial(tokens.works, token)
    return partial(sessions.holds, request.session.session_key or "")
