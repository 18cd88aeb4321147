"""Asking the fleet over HTTP; every failure becomes a sentence."""

from __future__ import annotations

import contextlib
import itertools
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx

from fleetdash.cli.address import Address
from fleetdash.cli.errors import Refused, Unreachable

TIMEOUT_S = 30.0
# a comment comes every 15 s on a stream
STREAM_TIMEOUT_S = 40.0
# a web process that was killed is back within this time
PATIENCE_S = 15.0
PAUSE_S = 0.5
PAGE = 500
OPERATIONS_PAGE = 100


class Fleet:
    """A fleet that answers; methods give decoded JSON and raise CliError."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._http = httpx.Client(
            base_url=f"{address.url}/api/v1/",
            headers={"authorization": f"Bearer {address.token}", "user-agent": "fleet"},
            timeout=httpx.Timeout(TIMEOUT_S, connect=5.0),
            trust_env=not address.is_loopback,
        )

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path; what is None or empty is left out of the query."""
        return self._ask("GET", path, params=_given(query)).json()

    def text(self, path: str) -> str:
        """The text at a path."""
        return self._ask("GET", path).text

    def took_ms(self, path: str) -> float:
        """Milliseconds until a page of the fleet, by its whole path, has been answered."""
        began = time.perf_counter()
        self._ask("GET", f"{self._address.url}{path}")
        return 1000 * (time.perf_counter() - began)

    def post(
        self, path: str, body: dict[str, Any] | None = None, *, patience_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Change something once; asks again, for the same, while the web process restarts."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        give_up_at = time.monotonic() + patience_s
        while True:
            try:
                answer = self._ask("POST", path, json=body, headers=headers)
            except Unreachable:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(PAUSE_S)
            else:
                done: dict[str, Any] = answer.json()
                return done

    def put(self, path: str, body: dict[str, Any] | None) -> None:
        """Set what is at a path."""
        self._ask("PUT", path, json=body)

    def begin(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Ask for an operation."""
        return self.post("operations", wish)

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        self._ask("DELETE", path)

    def each(self, path: str, key: str, *, page: int = PAGE, **query: Any) -> Iterator[Any]:
        """All of a list, of which the answers give some at a time under `key`."""
        query = {**query, "limit": page}
        while True:
            answer = self.get(path, **query)
            yield from answer[key]
            if answer["next"] is None:
                return
            query["cursor"] = answer["next"]

    def some(self, path: str, key: str, count: int, **query: Any) -> list[Any]:
        """The first so many of a list."""
        page = min(count, OPERATIONS_PAGE)
        return list(itertools.islice(self.each(path, key, page=page, **query), count))

    def devices(self, **query: Any) -> Iterator[dict[str, Any]]:
        """All devices that match, oldest first."""
        return self.each("devices", "devices", **query)

    @contextlib.contextmanager
    def lines(self, path: str, *, last_id: str = "", **query: Any) -> Iterator[Iterator[str]]:
        """The lines of a stream, as long as it lasts."""
        headers = {"accept": "text/event-stream"}
        if last_id:
            headers["last-event-id"] = last_id
        timeout = httpx.Timeout(STREAM_TIMEOUT_S, connect=5.0)
        try:
            with self._http.stream(
                "GET", path, params=_given(query), headers=headers, timeout=timeout
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise self._refusal(answer)
                yield answer.iter_lines()
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **given)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        if answer.is_success:
            return answer
        raise self._refusal(answer)

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        url, why = self._address.url, str(error)
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
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"{url} did not answer in time; is the machine overloaded?")
        if "[Errno -" in why:
            return Unreachable(f"No address is known for the name in {url}: correct FLEETDASH_URL.")
        return Unreachable(f"Nothing answers at {url}: run bin/up, or correct FLEETDASH_URL.")

    def _refusal(self, answer: httpx.Response) -> Refused | Unreachable:
        url = self._address.url
        if answer.headers.get("content-type", "").startswith("application/problem+json"):
            return Refused(answer.status_code, str(answer.json().get("detail", "")))
        if answer.status_code in {502, 503, 504}:
            return Unreachable(f"{url} is not ready ({answer.status_code}).")
        if answer.is_redirect and answer.has_redirect_location:
            there = answer.headers["location"].partition("/api/")[0][:200]
            return Refused(
                answer.status_code, f"{url} sends elsewhere: is FLEETDASH_URL to be {there}?"
            )
        return Refused(
            answer.status_code,
            f"{url} answered {answer.status_code}, which no fleetdash does; "
            "is FLEETDASH_URL the address of one?",
        )


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in (None, "", [])}
