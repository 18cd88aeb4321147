"""A person's names for ways to look at the list: saving one, forgetting one."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from devices.services import saved_views
from devices.views.sentences import is_htmx, says_errors


def _answer(request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
    if not is_htmx(request):
        return redirect("devices")
    return render(request, "devices/views.html", {"views": saved_views.of(user)})


@require_POST
@says_errors
def save(request: HttpRequest) -> HttpResponse:
    """Keep the address's `query` under `name`."""
    user = cast(AbstractBaseUser, request.user)
    saved_views.save(user, request.POST.get("name", ""), request.POST.get("query", ""))
    return _answer(request, user)


@require_POST
@says_errors
def forget(request: HttpRequest, view_id: int) -> HttpResponse:
    """Delete a view of one's own."""
    user = cast(AbstractBaseUser, request.user)
    saved_views.delete(view_id, user)
    return _answer(request, user)
