"""What went wrong between here and a fleet, as errors with a sentence."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from fleetdash.cli.errors import CliError, Refused, Unreachable

PROBLEM = "application/problem+json"
# the question had been sent, at least in part
SENT = (
    httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError,
    httpx.RemoteProtocolError,
)  # fmt: skip


def unreachable(url: str, error: httpx.RequestError) -> Unreachable:
    """Why no answer came from an address."""
    why = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return Unreachable(
            f"The certificate of {url} is none that this machine trusts: have SSL_CERT_FILE "
            "name that of its authority, or correct FLEETDASH_URL."
        )
    if "[SSL" in why:
        return Unreachable(f"{url} does not speak TLS: is it http:// instead of https://?")
    if isinstance(error, httpx.ConnectTimeout) and url.startswith("https:"):
        return Unreachable(
            f"{url} did not answer in time, or does not speak TLS: is it http:// instead?"
        )
    sent = isinstance(error, SENT)
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(
            f"{url} did not answer in time; is the machine overloaded?", may_be_done=sent
        )
    if "[Errno -" in why:
        return Unreachable(f"No address is known for the name in {url}: correct FLEETDASH_URL.")
    return Unreachable(
        f"Nothing answers at {url}: run bin/up, or correct FLEETDASH_URL.", may_be_done=sent
    )


def refusal(url: str, answer: httpx.Response) -> Refused | Unreachable:
    """What an answer means that is no success."""
    status = answer.status_code
    if answer.headers.get("content-type", "").startswith(PROBLEM):
        return Refused(status, str(answer.json().get("detail", "")))
    if status in {502, 503, 504}:
        return Unreachable(f"{url} is not ready ({status}).", may_be_done=status != 503)
    if status == 400:
        return Refused(
            status,
            f"{url} answered 400: a fleetdash there does not go by the name "
            f"{urlsplit(url).hostname}. Add it to that machine's FLEETDASH_ALLOWED_HOSTS and start "
            "fleetdash again, or correct FLEETDASH_URL.",
        )
    if answer.is_redirect and answer.has_redirect_location:
        there = answer.headers["location"].partition("/api/")[0][:200]
        return Refused(status, f"{url} sends elsewhere: is FLEETDASH_URL to be {there}?")
    return Refused(
        status,
        f"{url} answered {status}, which no fleetdash does; is FLEETDASH_URL the address of one?",
    )


def stranger(url: str) -> CliError:
    """What is said of a server that answers as no fleetdash does."""
    return CliError(
        f"What answers at {url} is no fleetdash; is FLEETDASH_URL the address of one?"
    )
