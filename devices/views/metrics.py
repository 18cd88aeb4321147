"""`/metrics` for Prometheus, behind a token."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from devices.api.problems import problem
from devices.models import Token
from devices.services import metrics as service
from devices.services import tokens

NO_TOKEN = "This needs a token of scope metrics (Authorization: Bearer fdm_…), made on the page."
BAD_TOKEN = "The token is unknown, revoked or expired; make a new one on the page."
OTHER_SCOPE = "This token does not open /metrics; make one of scope metrics."
OPENED_BY = (Token.Scope.METRICS, Token.Scope.FULL)


@login_not_required
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics, in Prometheus's text format or in OpenMetrics, as `Accept` says."""
    if request.method not in ("GET", "HEAD"):
        refusal = problem(405, f"This address takes GET, not {str(request.method)[:40]}.")
        refusal["Allow"] = "GET, HEAD"
        return refusal
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key.strip():
        return problem(401, NO_TOKEN)
    found = tokens.bearer(key.strip())
    if found is None:
        return problem(401, BAD_TOKEN)
    if found.scope not in OPENED_BY:
        return problem(403, OTHER_SCOPE)
    text, content_type = service.rendered(request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)
