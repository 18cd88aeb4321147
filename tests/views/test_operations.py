from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from devices.models import Device, Operation, Target
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


def test_how_a_device_is_now_is_followed_while_it_has_a_place(
    client: Client, fleet_host: Any
) -> None:
    operation = _operation()
    there = a_device(fleet_host, state=State.OFFLINE)
    gone = a_device(fleet_host, state=State.GONE, slot=None)
    for device in (there, gone):
        Target.objects.create(operation=operation, device=device, outcome="failed")
    page = client.get(f"/operations/{operation.id}/").content.decode()
    assert f'<span class="chip state-offline" id="state-{there.slot}">' in page
    assert '<span class="chip state-gone">' in page


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


def _done(operation: Operation, host: Any, after_s: list[float]) -> None:
    for seconds in after_s:
        Target.objects.create(
            operation=operation, device=a_device(host), outcome="done",
            ended_at=operation.created_at + timedelta(seconds=seconds),
        )


def test_what_was_done_at_once_has_no_rate(client: Client, fleet_host: Any) -> None:
    slow, fast = _operation(kind="add", state="succeeded"), _operation(kind="reboot")
    tagging = _operation(kind="tag", state="succeeded")
    _done(slow, fleet_host, [4.0, 8.0])
    _done(fast, fleet_host, [0.003, 0.004])
    _done(tagging, fleet_host, [1.7, 1.7])
    # one that fails much later says nothing of the others
    Target.objects.create(
        operation=fast, device=a_device(fleet_host), outcome="failed", ended_at=fast.ended_at
    )
    said = [client.get(f"/operations/{o.id}/").content.decode() for o in (slow, fast, tagging)]
    facts = "15.0/min · half of them within 4.0 s, 95 of 100 within 8.0 s"
    assert facts in said[0]
    stage = client.get("/").content.decode()
    assert "2 done in 42 s · 15.0/min · p50 4.0 s · p95 8.0 s" in stage
    assert (stage.count("p50"), stage.count("p95")) == (1, 1)
    assert not any("half of them" in page for page in said[1:])


def test_numbers_are_grouped_alike_in_titles_and_beside_them(
    client: Client, fleet_host: Any
) -> None:
    running = _operation(kind="add", state="running", count=1200)
    ended = _operation(kind="remove", state="failed", count=1100)
    device = a_device(fleet_host).id
    there = [a_device(fleet_host) for _ in range(2)]
    Device.objects.bulk_create(
        Device(
            serial=f"sn-{n}", host=fleet_host, firmware=there[0].firmware, state=State.ONLINE,
            state_since=running.created_at, requested_at=running.created_at, secret="s" * 43,
        )
        for n in range(1200)
    )
    ids = list(Device.objects.filter(id__gt=device).order_by("id").values_list("id", flat=True))
    Target.objects.bulk_create(
        Target(operation=running, device_id=number, outcome="done", ended_at=running.created_at)
        for number in ids[:1100]
    )
    Target.objects.bulk_create(
        Target(operation=ended, device_id=number, outcome="failed") for number in ids[:1100]
    )
    addresses = ["/", "/operations/", f"/operations/{running.id}/", f"/operations/{ended.id}/"]
    pages = {address: client.get(address).content.decode() for address in addresses}
    for address in addresses[:3]:
        assert "<b>1,100</b> of 1,100" in pages[address]
    assert "1,100 failed" in pages["/"] and "1,100 failed" in pages["/operations/"]
    assert "failed 1,100" in pages[addresses[3]] and "1,100 in all" in pages[addresses[3]]
    assert 'max="1100" value="1100"' in pages["/"] and 'data-ended="1100"' in pages["/"]
    assert "Add 1,000 devices?" in pages["/"] and "Remove 1,000 devices?" in pages["/"]
    assert "1–50 of 1,203" in client.get("/devices/?size=50").content.decode()
    assert "1,201–1,203 of 1,203" in client.get("/devices/?size=50&page=25").content.decode()
    for address in addresses[1:]:
        text = re.sub(r"<[^>]*>", " ", pages[address][pages[address].index("<main") :])
        assert not re.findall(r"(?<![-+−\d.,:])\d{4,}(?![-\d:])", text)
