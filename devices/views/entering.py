"""Logging in."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpResponse

from devices.services import tries

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
        address = str(self.request.META.get("REMOTE_ADDR", "")) if self.request else ""
        if not tries.begin(name, address):
            self.held = True
            _tell(name, address, "too many tries")
            raise ValidationError(TOO_MANY)
        try:
            cleaned = super().clean()
        except ValidationError:
            _tell(name, address, "wrong name or password")
            raise
        tries.succeeded(name, address)
        return cleaned


class LogInView(LoginView):
    """The page on which people log in."""

    template_name = "login.html"
    redirect_authenticated_user = True
    authentication_form = LogInForm

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The page again, with what was wrong."""
        answer = super().form_invalid(form)
        if isinstance(form, LogInForm) and form.held:
            answer.status_code = 429
            answer.headers["Retry-After"] = str(tries.WINDOW_S)
        return answer


def _tell(name: str, address: str, why: str) -> None:
    log.warning("The log-in of %r from %s was refused: %s", name[:NAME_SHOWN], address, why)
