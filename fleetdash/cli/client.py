"""Asking the fleet over HTTP; every failure becomes a sentence."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx

from fleetdash.cli.address import Address
from fleetdash.cli.errors import Refused, Unreachable

TIMEOUT_S = 30.0
# a web process that was killed is back within this time
PATIENCE_S = 15.0
PAUSE_S = 0.5
PAGE = 500


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
        """The JSON at a path."""
        return self._ask("GET", path, params=query).json()

    def text(self, path: str) -> str:
        """The text at a path."""
        return self._ask("GET", path).text

    def took_ms(self, path: str) -> float:
        """Milliseconds until a page of the fleet, by its whole path, has been answered."""
        began = time.perf_counter()
        self._ask("GET", f"{self._address.url}{path}")
        return 1000 * (time.perf_counter() - began)

    def begin(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Ask for an operation; asks again, for the same one, while the web process restarts."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = self._ask("POST", "operations", json=wish, headers=headers)
            except Unreachable:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(PAUSE_S)
            else:
                begun: dict[str, Any] = answer.json()
                return begun

    def put(self, path: str, body: dict[str, Any] | None) -> None:
        """Set what is at a path."""
        self._ask("PUT", path, json=body)

    def cancel(self, operation_id: int) -> dict[str, Any]:
        """Cancel an operation."""
        cancelled: dict[str, Any] = self._ask("POST", f"operations/{operation_id}/cancel").json()
        return cancelled

    def devices(self, *, state: str = "", search: str = "") -> Iterator[dict[str, Any]]:
        """All devices that match, oldest first."""
        query: dict[str, Any] = {"limit": PAGE, "search": search}
        if state:
            query["state"] = state
        while True:
            page = self.get("devices", **query)
            yield from page["devices"]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **given)
        except httpx.TimeoutException:
            raise Unreachable(
                f"{self._address.url} did not answer in time; is the machine overloaded?"
            ) from None
        except httpx.TransportError:
            raise Unreachable(
                f"Nothing answers at {self._address.url}: run bin/up, or correct FLEETDASH_URL."
            ) from None
        if answer.is_success:
            return answer
        raise self._refusal(answer)

    def _refusal(self, answer: httpx.Response) -> Refused | Unreachable:
        if answer.headers.get("content-type", "").startswith("application/problem+json"):
            return Refused(answer.status_code, str(answer.json().get("detail", "")))
        if answer.status_code in {502, 503, 504}:
            return Unreachable(f"{self._address.url} is not ready ({answer.status_code}).")
        return Refused(
            answer.status_code,
            f"{self._address.url} answered {answer.status_code}, which no fleetdash does; "
            "is FLEETDASH_URL the address of one?",
        )
