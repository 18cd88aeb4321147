from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from devices.models import Operation, Target
from devices.states import State
from tests.rows import a_device

pytestmark = pytest.mark.django_db


def _operation(kind: str = "reboot", state: str = "partly", **values: Any) -> Operation:
    now = timezone.now()
    given = {"count": 2, "created_at": now - timedelta(seconds=42), **values}
    return Operation.objects.create(
        kind=kind, state=state, ended_at=None if state == "running" else now, **given
    )


def test_an_empty_log_says_what_to_do(client: Client) -> None:
    assert b"Nothing has been asked of the fleet yet." in client.get("/operations/").content
    filtered = client.get("/operations/?kind=reboot").content
    assert b"No operation matches." in filtered


def test_the_log_says_who_what_when_and_how_it_ended(
    client: Client, anna: User, fleet_host: Any
) -> None:
    operation = _operation(actor=anna, note="there were only 2")
    for outcome in ("done", "failed"):
        Target.objects.create(operation=operation, device=a_device(fleet_host), outcome=outcome)
    page = client.get("/operations/").content.decode()
    row = page[page.index("<tbody>") :]
    for said in ("Reboot 2 devices", "partly done", "1 failed", "anna", "42 s", "only 2"):
        assert said in row
    assert f'href="/operations/{operation.id}/"' in row


def test_a_running_operation_shows_the_bar_that_is_sent_live(
    client: Client, fleet_host: Any
) -> None:
    operation = _operation(kind="add", state="running")
    Target.objects.create(operation=operation, device=a_device(fleet_host, state=State.BOOTING))
    for address in ("/operations/", f"/operations/{operation.id}/"):
        page = client.get(address).content.decode()
        assert f'id="progress-{operation.id}"' in page
        assert 'id="operations-news"' in page
    assert f'id="cancel-{operation.id}"' in page and 'id="retry-' not in page


def test_filters_and_pages_are_in_the_address(client: Client, anna: User) -> None:
    for _ in range(27):
        _operation(state="failed", actor=anna)
    _operation(kind="add", state="succeeded")
    page = client.get("/operations/?state=failed&actor=anna").content.decode()
    assert "1–25 of 27" in page
    assert 'href="?state=failed&amp;actor=anna&amp;page=2"' in page
    last = client.get("/operations/?state=failed&actor=anna&page=2").content.decode()
    assert "26–27 of 27" in last and 'rel="next"' not in last


@pytest.mark.parametrize("query", ["page=x", "page=-1", "page=9999999999", "kind=<b>", "actor=%00"])
def test_a_strange_address_falls_back(client: Client, query: str) -> None:
    operation = _operation()
    assert client.get(f"/operations/?{query}").status_code == 200
    assert client.get(f"/operations/{operation.id}/?{query}&outcome=x").status_code == 200


@pytest.mark.parametrize("number", ["7", "9" * 30])
def test_an_unknown_operation_is_a_sentence(client: Client, number: str) -> None:
    answer = client.get(f"/operations/{number}/")
    assert answer.status_code == 404
    assert f"There is no operation {number}." in answer.content.decode()


def test_what_became_of_each_device_failed_first_with_the_reason(
    client: Client, fleet_host: Any
) -> None:
    operation = _operation()
    good, bad = a_device(fleet_host), a_device(fleet_host, state=State.OFFLINE)
    Target.objects.create(
        operation=operation, device=good, outcome="done",
        ended_at=operation.created_at + timedelta(seconds=4.2),
    )
    Target.objects.create(
        operation=operation, device=bad, outcome="failed", reason="It is <offline>."
    )
    page = client.get(f"/operations/{operation.id}/").content.decode()
    rows = page[page.index("<tbody>") :]
    assert rows.index(bad.serial) < rows.index(good.serial)
    assert "It is &lt;offline&gt;." in rows and "4.2 s" in rows
    only = client.get(f"/operations/{operation.id}/?outcome=done").content.decode()
    assert good.serial in only and bad.serial not in only


def test_an_operation_is_linked_to_those_that_tried_it_again(client: Client) -> None:
    first = _operation()
    again = _operation(retry_of=first)
    link = 'href="/operations/{}/">{}'
    assert link.format(again.id, f"operation {again.id}") in (
        client.get(f"/operations/{first.id}/").content.decode()
    )
    assert link.format(first.id, "what failed in") in (
        client.get(f"/operations/{again.id}/").content.decode()
    )


def test_a_stranger_sees_no_operation() -> None:
    for address in ("/operations/", f"/operations/{_operation().id}/"):
        assert Client().get(address).headers["Location"].startswith("/login/")


@pytest.mark.parametrize(
    ("kind", "detail"), [("reboot", "asked again of those"), ("add", "As many new devices")]
)
def test_what_failed_is_tried_again_once_that_was_confirmed(
    client: Client, htmx: Any, fleet_host: Any, kind: str, detail: str
) -> None:
    operation = _operation(kind=kind, state="failed")
    Target.objects.create(operation=operation, device=a_device(fleet_host), outcome="failed")
    page = client.get(f"/operations/{operation.id}/").content.decode()
    button = page[page.index(f'id="retry-{operation.id}"') :].split(">", 1)[0]
    assert 'hx-confirm="Try again with 1 device?"' in button and detail in button
    answer = htmx(f"/operations/{operation.id}/retry").content.decode()
    again = Operation.objects.get(retry_of=operation)
    assert f"/operations/{again.id}/" in answer and "Trying again: " in answer


def test_what_runs_or_did_not_fail_is_not_tried_again(
    client: Client, htmx: Any, fleet_host: Any
) -> None:
    done = _operation(state="succeeded")
    Target.objects.create(
        operation=done, device=a_device(fleet_host), outcome="done", ended_at=timezone.now()
    )
    assert 'id="retry-' not in client.get(f"/operations/{done.id}/").content.decode()
    assert htmx(f"/operations/{done.id}/retry").status_code == 409
    assert htmx("/operations/999/retry").status_code == 404
    assert Operation.objects.count() == 1


def test_a_power_off_can_be_undone_and_says_what_that_does(
    client: Client, htmx: Any, fleet_host: Any
) -> None:
    operation = _operation(kind="power_off", state="succeeded")
    device = a_device(fleet_host, state=State.OFF, boot_id="b")
    Target.objects.create(
        operation=operation, device=device, outcome="done", ended_at=timezone.now()
    )
    page = client.get(f"/operations/{operation.id}/").content.decode()
    assert 'hx-confirm="Power on 1 device again?"' in page
    answer = htmx(f"/operations/{operation.id}/undo").content.decode()
    assert "Undoing: powering on 1 device." in answer
    device.refresh_from_db()
    assert device.state == State.REQUESTED
