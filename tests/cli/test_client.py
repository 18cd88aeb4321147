"""What a fleet's answers, and the want of them, become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleetdash.cli import client
from fleetdash.cli.address import Address
from fleetdash.cli.client import Fleet
from fleetdash.cli.errors import CliError, Refused, Unreachable

Handler = Callable[[httpx.Request], httpx.Response]
BEGUN = {"id": 7, "state": "running"}
PAGE = httpx.Response(200, html="<h1>It works!</h1>")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_S", 0.0)


def fleet_of(handler: Handler, url: str = "http://fleet.example") -> Fleet:
    """A fleet of which the answers are made here."""
    fleet = Fleet(Address(url, "fdt_x"))
    fleet._http = httpx.Client(
        transport=httpx.MockTransport(handler), base_url=fleet._http.base_url
    )
    return fleet


class Answers:
    """Gives one after the other and keeps the idempotency keys that came; the last stays."""

    def __init__(self, *answers: httpx.Response | type[httpx.RequestError]) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key", ""))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("as it is")


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_what_may_have_been_done_is_asked_again_with_its_key(
    error: type[httpx.RequestError],
) -> None:
    answers = Answers(error, httpx.Response(201, json=BEGUN))
    # as if the first had taken longer than anybody waits
    assert fleet_of(answers).post("operations", {}, patience_s=-1) == BEGUN
    assert len(answers.keys) == 2
    assert len(set(answers.keys)) == 1


def test_what_nobody_answers_twice_is_said_to_be_maybe_done() -> None:
    answers = Answers(httpx.ReadTimeout)
    with pytest.raises(Unreachable, match=r"done all the same: bin/fleet operations") as raised:
        fleet_of(answers).post("operations", {}, patience_s=-1)
    assert raised.value.may_be_done
    assert len(answers.keys) == 2


def test_what_was_never_sent_is_not_said_to_be_maybe_done() -> None:
    with pytest.raises(Unreachable, match=r"^Nothing answers at .*FLEETDASH_URL\.$") as raised:
        fleet_of(Answers(httpx.ConnectError)).post("operations", {}, patience_s=-1)
    assert not raised.value.may_be_done


def test_a_key_that_was_given_is_the_one_that_is_sent() -> None:
    answers = Answers(httpx.Response(201, json=BEGUN))
    fleet_of(answers).begin({"kind": "add"}, key="mine")
    assert answers.keys == ["mine"]


ASKING: list[Callable[[Fleet], Any]] = [
    lambda fleet: fleet.get("summary"),
    lambda fleet: fleet.text("devices/x/console"),
    lambda fleet: fleet.post("operations", {}),
    lambda fleet: fleet.put("hosts/x/levers/ksm", {}),
    lambda fleet: fleet.delete("tokens/1"),
    lambda fleet: fleet.lines("events").__enter__(),
]


@pytest.mark.parametrize("ask", ASKING)
@pytest.mark.parametrize("answer", [PAGE, httpx.Response(200, json=[])])
def test_what_is_no_fleet_is_said(ask: Callable[[Fleet], Any], answer: httpx.Response) -> None:
    with pytest.raises(CliError, match="What answers at http://fleet.example is no fleetdash"):
        ask(fleet_of(lambda request: answer))


def test_a_name_the_fleet_does_not_go_by_is_said() -> None:
    fleet = fleet_of(lambda request: httpx.Response(400, html="<h1>Not understood</h1>"))
    with pytest.raises(Refused, match=r"name fleet.example\. Add it to .*FLEETDASH_ALLOWED_HOSTS"):
        fleet.get("summary")


@pytest.mark.parametrize(("status", "ends_with"), [(422, 2), (409, 1), (404, 1)])
def test_what_was_asked_wrongly_ends_with_2(status: int, ends_with: int) -> None:
    answer = httpx.Response(
        status, json={"detail": "No."}, headers={"content-type": "application/problem+json"}
    )
    with pytest.raises(Refused, match="No.") as raised:
        fleet_of(lambda request: answer).get("summary")
    assert raised.value.ends_with == ends_with


@pytest.mark.parametrize("content", [None, ""])
def test_a_certificates_file_that_cannot_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(CliError, match=r"authority.pem.* cannot be read .*correct SSL_CERT_FILE"):
        Fleet(Address("https://fleet.example", "x"))


def test_a_proxy_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.example")
    with pytest.raises(CliError, match="correct HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"):
        Fleet(Address("https://fleet.example", "x"))


def test_a_name_that_cannot_be_one_is_said() -> None:
    with pytest.raises(CliError, match="is not an address such as"):
        Fleet(Address("http://a..b:8000", "x")).get("summary")
