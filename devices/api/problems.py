"""Errors as `application/problem+json` (RFC 9457) whose detail is a sentence."""

from __future__ import annotations

import http
import json
import logging
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI, Router
from ninja.errors import HttpError, ValidationError

from devices.errors import DoesNotFit, FleetError
from devices.services.operations import MOST

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
NOT_HERE = "There is nothing at this address; /api/v1/docs says what there is."
NOT_JSON = "The request's body is not JSON."
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
SHOWN = 40

router = Router()


@router.api_operation(METHODS, "/{path:rest}", include_in_schema=False)
def nothing(request: HttpRequest, rest: str) -> HttpResponse:
    """What is asked for at an address that does not exist."""
    return problem(404, NOT_HERE)


@csrf_exempt
@login_not_required
def nowhere(request: HttpRequest) -> HttpResponse:
    """What is asked for below /api/ where no version of the API is."""
    return problem(404, NOT_HERE)


def problem(status: int, detail: str, **more: Any) -> HttpResponse:
    """An error's answer."""
    title = http.HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    answer = HttpResponse(json.dumps(body), status=status, content_type=MEDIA_TYPE)
    if status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def refused_method(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    """The answer; as a problem when it is 405."""
    if answer.status_code != 405:
        return answer
    allowed = answer.headers.get("Allow", "")
    said = problem(405, f"This address takes {allowed}, not {str(request.method)[:SHOWN]}.")
    said["Allow"] = allowed
    return said


def install(api: NinjaAPI) -> None:
    """Make the API answer every error so."""
    api.add_exception_handler(FleetError, _fleet_error)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(ValidationError, _validation_error)
    api.add_exception_handler(Http404, lambda request, error: problem(404, NOT_HERE))
    api.add_exception_handler(OperationalError, _database_error)
    api.add_exception_handler(RequestDataTooBig, _too_big)
    api.add_exception_handler(Exception, _unexpected)


def _fleet_error(request: HttpRequest, error: FleetError | type[FleetError]) -> HttpResponse:
    more = {"fits": error.fits} if isinstance(error, DoesNotFit) else {}
    return problem(error.status, str(error), **more)


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    # raised by this room with sentences of its own, and around what the body's parser raises
    if error.status_code == 400:
        if isinstance(error.__cause__, HttpError):
            error = error.__cause__
            return problem(error.status_code, str(error))
        return problem(400, NOT_JSON)
    return problem(error.status_code, str(error))


def _too_big(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(413, "The request's body is larger than anything here takes.")


def _validation_error(request: HttpRequest, error: Any) -> HttpResponse:
    sentences = dict.fromkeys(map(sentence_of, error.errors))
    return problem(422, " ".join(sentences))


def sentence_of(error: dict[str, Any]) -> str:
    """What is wrong with one field, from pydantic's description."""
    place = [str(part) for part in error["loc"]]
    named = [part for part in place if not part.isdecimal()]
    name = named[-1] if len(place) > 2 or place[0] != "body" else "The body"
    if name == "count" and error["type"] != "missing":
        return f"count is not a whole number from 1 to {MOST:,}."
    match error["type"]:
        case "missing":
            return f"{name} is missing."
        case "extra_forbidden":
            return f"{name[:SHOWN]} is not known here."
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
    message = str(error["msg"])
    return f"{name[:SHOWN]}: {message[:1].lower()}{message[1:]}."


def _database_error(
    request: HttpRequest, error: OperationalError | type[OperationalError]
) -> HttpResponse:
    log.error("The database did not answer: %s", error)
    return problem(503, "The database does not answer now; try again in a moment.")


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return problem(500, "Something went wrong inside; the web process's log says what.")
