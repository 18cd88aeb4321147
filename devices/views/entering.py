"""Logging in."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse

from devices.services import known_browsers, tries
from devices.views.client_address import client_address

log = logging.getLogger(__name__)

NAME_SHOWN = 40
TOO_MANY = "Too many tries; wait a minute."


class LogInForm(AuthenticationForm):
    """Name and password, of which only so many are looked at; `held` says that these were not."""

    held = False

    def clean(self) -> dict[str, Any]:
        """Who it is; raises ValidationError, and writes each refusal into the log."""
        name = self.cleaned_data.get("username", "")
        if not name or not self.cleaned_data.get("password"):
            return self.cleaned_data
        assert self.request is not None, "a log-in comes from somewhere"
        address = client_address(self.request)
        cookie = self.request.COOKIES.get(settings.KNOWN_COOKIE_NAME, "")
        known = known_browsers.vouches(cookie, name)
        if not tries.begin(name, address, known=known):
            self.held = True
            _tell(name, address, "too many tries")
            raise ValidationError(TOO_MANY)
        try:
            cleaned = super().clean()
        except ValidationError:
            _tell(name, address, "wrong name or password")
            raise
        tries.succeeded(name, address, known=known)
        return cleaned


class LogInView(LoginView):
    """The page on which people log in."""

    template_name = "login.html"
    redirect_authenticated_user = True
    authentication_form = LogInForm

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """On to where they wanted, in a browser that is known from now on."""
        answer = super().form_valid(form)
        answer.set_cookie(
            settings.KNOWN_COOKIE_NAME, known_browsers.voucher(form.get_user()),
            max_age=known_browsers.KEPT_S, path=reverse("login"), httponly=True, samesite="Lax",
        )  # fmt: skip
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The page again, with what was wrong."""
        answer = super().form_invalid(form)
        if isinstance(form, LogInForm) and form.held:
            answer.status_code = 429
            answer.headers["Retry-After"] = str(tries.WINDOW_S)
        return answer


def _tell(name: str, address: str, why: str) -> None:
    log.warning("The log-in of %r from %s was refused: %s", name[:NAME_SHOWN], address, why)
