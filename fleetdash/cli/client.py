"""Asking the fleet over HTTP; every failure becomes a sentence."""

from __future__ import annotations

import contextlib
import itertools
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx

from fleetdash.cli import trouble
from fleetdash.cli.address import Address, no_address
from fleetdash.cli.connection import connection
from fleetdash.cli.errors import Unreachable

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
        self._http = connection(address)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path; what is None or empty is left out of the query."""
        return self._decoded(self._ask("GET", path, params=_given(query)))

    def text(self, path: str) -> str:
        """The text at a path."""
        return self._of_type("text/plain", self._ask("GET", path)).text

    def took_ms(self, path: str) -> float:
        """Milliseconds until a page of the fleet, by its whole path, has been answered."""
        began = time.perf_counter()
        self._ask("GET", f"{self._address.url}{path}")
        return 1000 * (time.perf_counter() - began)

    def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str = "",
        patience_s: float = PATIENCE_S,
    ) -> dict[str, Any]:
        """Change something once; what was asked with the same `key` before is not done again.

        Asks again, for the same, while the web process restarts, and at least once more where only
        the answer may be missing.
        """
        headers = {"idempotency-key": key or str(uuid.uuid4())}
        give_up_at, may_be_done = time.monotonic() + patience_s, False
        while True:
            try:
                answer = self._ask("POST", path, json=body, headers=headers)
            except Unreachable as error:
                if error.may_be_done and not may_be_done:
                    give_up_at, may_be_done = time.monotonic() + patience_s, True
                elif time.monotonic() > give_up_at:
                    raise (_unsure(error, path) if may_be_done else error) from None
                time.sleep(PAUSE_S)
            else:
                return self._decoded(answer)

    def put(self, path: str, body: dict[str, Any] | None) -> None:
        """Set what is at a path."""
        self._is_done(self._ask("PUT", path, json=body))

    def begin(self, wish: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        """Ask for an operation, once for the same `key`."""
        return self.post("operations", wish, key=key)

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        self._is_done(self._ask("DELETE", path))

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
                    raise trouble.refusal(self._address.url, answer)
                yield self._of_type("text/event-stream", answer).iter_lines()
        except httpx.RequestError as error:
            raise trouble.unreachable(self._address.url, error) from None

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **given)
        except httpx.RequestError as error:
            raise trouble.unreachable(self._address.url, error) from None
        except UnicodeError:  # from looking up a name that cannot be one
            raise no_address(self._address.url) from None
        if answer.is_success:
            return answer
        raise trouble.refusal(self._address.url, answer)

    def _decoded(self, answer: httpx.Response) -> dict[str, Any]:
        """The object in an answer."""
        with contextlib.suppress(ValueError):
            decoded = answer.json()
            if isinstance(decoded, dict):
                return decoded
        raise trouble.stranger(self._address.url)

    def _is_done(self, answer: httpx.Response) -> None:
        """Whether an answer of which the status is all that is wanted comes from a fleet."""
        if answer.status_code != httpx.codes.NO_CONTENT:
            self._decoded(answer)

    def _of_type(self, media_type: str, answer: httpx.Response) -> httpx.Response:
        if answer.headers.get("content-type", "").startswith(media_type):
            return answer
        raise trouble.stranger(self._address.url)


def _unsure(error: Unreachable, path: str) -> Unreachable:
    command = "token ls" if path.startswith("tokens") else "operations"
    return Unreachable(
        f"{error} It may have been done all the same: bin/fleet {command} shows whether.",
        may_be_done=True,
    )


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in (None, "", [])}
