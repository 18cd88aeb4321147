"""An error a person meets, as a sentence: a toast for htmx, a page otherwise."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from devices.errors import FleetError

P = ParamSpec("P")


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks for a piece rather than a browser for a page."""
    return request.headers.get("HX-Request") == "true"


def says_errors(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Turn a FleetError into its sentence with its status."""

    @functools.wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except FleetError as error:
            return sentence(request, str(error), error.status)

    return answer


def sentence(request: HttpRequest, text: str, status: int) -> HttpResponse:
    """The sentence as a toast or a page."""
    if is_htmx(request):
        response = toast(request, text, kind="error", status=status)
        response.headers["HX-Retarget"] = "#toasts"
        response.headers["HX-Reswap"] = "beforeend"
        return response
    context = {"sentence": text, "status": status}
    return render(request, "error.html", context, status=status)


def toast(
    request: HttpRequest, text: str, *, kind: str, status: int = 200, operation: int | None = None
) -> HttpResponse:
    """A short message that goes away by itself; `kind` is `done` or `error`.

    It links to the page of `operation` when that is given.
    """
    context = {"text": text, "kind": kind, "operation": operation}
    return render(request, "toast.html", context, status=status)
