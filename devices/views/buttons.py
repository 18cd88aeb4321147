"""What every button's view needs: who pressed it, its key, and the answer."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from devices.models import Operation
from devices.views.sentences import is_htmx, toast


def actor(request: HttpRequest) -> AbstractBaseUser | None:
    """Who pressed it."""
    return request.user if request.user.is_authenticated else None


def idempotency_key(request: HttpRequest) -> str | None:
    """The key that makes a press twice one press; None when the page gave none."""
    return request.headers.get("Idempotency-Key") or None


def answer(request: HttpRequest, text: str, operation: Operation) -> HttpResponse:
    """A toast with a link to the operation for htmx, the operation's page for a plain form."""
    if not is_htmx(request):
        return redirect("operation", operation.id)
    return toast(request, text, kind="done", operation=operation.id)
