from __future__ import annotations

import random
import re
import shlex
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from devices.models import Device, Tag
from devices.states import State
from devices.views.device import command_lines
from devices.views.simulated import refuse_changes
from tests.rows import a_device
from tests.views.conftest import Outside

pytestmark = pytest.mark.django_db


def test_an_empty_list_says_what_to_do(client: Client) -> None:
    assert b"No devices yet." in client.get("/devices/").content
    assert b"No device matches." in client.get("/devices/?q=x").content


def test_search_state_and_pages_are_in_the_address(client: Client, fleet_host: Any) -> None:
    for number in range(60):
        state = State.FAILED if number % 3 == 0 else State.ONLINE
        a_device(fleet_host, state=state, serial=f"sn-{number:03d}")
    page = client.get("/devices/?size=25").content.decode()
    assert page.count('scope="row"') == 25
    assert "1–25 of 60" in page
    assert 'href="/devices/?size=25&amp;page=2"' in page
    last = client.get("/devices/?size=25&page=3").content.decode()
    assert "51–60 of 60" in last and 'rel="next"' not in last
    assert "51–60 of 60" in client.get("/devices/?size=25&page=4").content.decode()
    failed = client.get("/devices/?state=failed&size=100").content.decode()
    assert failed.count('scope="row"') == 20
    assert client.get("/devices/?q=sn-017").content.decode().count('scope="row"') == 1


@pytest.mark.parametrize(
    "query",
    ["page=x", "page=-1", "page=99999999999", "size=7", "state=<b>", "sort=secret", "q=%00"],
)
def test_a_strange_address_falls_back(client: Client, fleet_host: Any, query: str) -> None:
    a_device(fleet_host)
    assert client.get(f"/devices/?{query}").status_code == 200


def test_htmx_gets_the_list_alone(client: Client, fleet_host: Any) -> None:
    a_device(fleet_host)
    headers = {"HX-Request": "true", "HX-Target": "listing"}
    piece = client.get("/devices/", headers=headers).content.decode()
    assert piece.lstrip().startswith('<div id="listing"') and "<html" not in piece


def test_a_list_says_for_which_session_it_is_and_not_its_key(
    client: Client, anna: User, fleet_host: Any
) -> None:
    def said(browser: Client) -> str:
        page = browser.get("/devices/").content.decode()
        assert str(browser.session.session_key) not in page
        found = re.search(r'data-session="(\w{16,})"', page)
        assert found
        return found[1]

    other = Client()
    other.force_login(anna)
    assert said(client) == said(client) != said(other)


def rows_of(client: Client, query: str) -> list[str]:
    page = client.get(f"/devices/?{query}").content.decode()
    return re.findall(r'<th scope="row"><a href="/devices/([^/]+)/"', page)


@pytest.fixture
def three(fleet_host: Any) -> None:
    now = timezone.now()
    for number, (state, slot, tag) in enumerate(
        [(State.ONLINE, "a", "lab"), (State.OFF, "b", "lab"), (State.FAILED, "", "red")]
    ):
        device = a_device(
            fleet_host, serial=f"sn-{number}", state=state, reported_slot=slot,
            state_since=now - timedelta(minutes=number), requested_at=now - timedelta(hours=number),
        )
        Tag.objects.create(device=device, name=tag)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", "2 1 0"), ("id", "0 1 2"), ("serial", "0 1 2"), ("-serial", "2 1 0"),
        ("state", "2 1 0"), ("-state", "0 1 2"), ("state_since", "2 1 0"),
        ("-state_since", "0 1 2"), ("age", "0 1 2"), ("-age", "2 1 0"), ("slot", "2 0 1"),
        ("-slot", "1 0 2"), ("host", "2 1 0"), ("-firmware", "2 1 0"), ("start", "2 1 0"),
    ],
)  # fmt: skip
def test_the_list_is_sorted_as_asked(client: Client, sort: str, order: str) -> None:
    assert rows_of(client, f"sort={sort}") == [f"sn-{n}" for n in order.split()]


@pytest.mark.usefixtures("three")
def test_filters_are_in_the_address_and_show_what_is_chosen(client: Client) -> None:
    assert rows_of(client, "tag=lab&state=online&state=failed") == ["sn-0"]
    page = client.get("/devices/?tag=lab&state=off&older=90s").content.decode()
    assert "<summary>Tags <b>lab</b></summary>" in page
    assert "<summary>State <b>off</b></summary>" in page
    assert 'value="lab" checked' in page and 'value="red">' in page
    assert '<option value="90s" selected>90s</option>' in page
    assert '<span class="tag">lab</span>' in page
    gone = client.get("/devices/?host=elsewhere").content.decode()
    assert 'value="elsewhere" checked' in gone and "No device matches." in gone


@pytest.mark.usefixtures("three")
def test_a_heading_sorts_and_sorts_back(client: Client) -> None:
    page = client.get("/devices/?state=online&sort=serial").content.decode()
    assert 'aria-sort="ascending"' in page
    assert 'href="/devices/?state=online&amp;sort=-serial"' in page
    assert 'href="/devices/?state=online&amp;sort=age"' in page


@pytest.mark.usefixtures("three")
def test_htmx_is_told_the_shortest_address_once(client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Target": "listing"}
    address = "/devices/?q=&state=online&older=&younger=&size=50&sort=-id"
    answer = client.get(address, headers=headers)
    assert answer.headers["HX-Push-Url"] == "/devices/?state=online"
    there = {**headers, "HX-Current-URL": "http://testserver/devices/?state=online"}
    assert client.get(address, headers=there).headers["HX-Push-Url"] == "false"


@pytest.mark.usefixtures("three")
def test_what_matches_is_counted_and_nonsense_is_not_guessed_at(client: Client) -> None:
    assert client.get("/devices/count?tag=lab").content == b"2"
    assert client.get("/devices/count").content == b"3"
    assert client.get("/devices/count?state=asleep").status_code == 422


@pytest.mark.usefixtures("three")
def test_of_devices_that_were_selected_those_still_listed_are_told(
    client: Client, htmx: Any, fleet_host: Any
) -> None:
    def still(query: str, *serials: str) -> Any:
        return htmx(f"/devices/still-listed?{query}", {"serials": ",".join(serials)})

    a_device(fleet_host, serial="sn-gone", state=State.GONE, slot=None)
    listed = rows_of(client, "")
    assert sorted(still("", *listed, "sn-gone", "nobody").json()["serials"]) == sorted(listed)
    assert still("state=gone", "sn-gone").json() == {"serials": []}
    # one of them has left the filter since
    before = rows_of(client, "state=online")
    Device.objects.filter(serial=before[0]).update(state=State.FAILED)
    assert sorted(still("state=online", *before).json()["serials"]) == sorted(before[1:])
    assert still("").json() == {"serials": []}
    assert still("state=asleep", *listed).status_code == 422
    assert still("", *(f"sn-{n}" for n in range(10_001))).status_code == 422
    assert client.get("/devices/still-listed").status_code == 405


def test_a_simulated_fleet_answers_what_is_only_asked() -> None:
    answer = refuse_changes(lambda request: HttpResponse(b"told"))
    assert answer(RequestFactory().post("/devices/still-listed")).content == b"told"


def test_views_are_saved_shown_and_forgotten(client: Client, htmx: Any) -> None:
    answer = htmx("/devices/views/save", {"name": "<lab>", "query": "tag=lab&sort=serial"})
    assert b"&lt;lab&gt;" in answer.content
    page = client.get("/devices/").content.decode()
    found = re.search(r'hx-post="(/devices/views/\d+/forget)"', page)
    assert found and 'href="/devices/?tag=lab&amp;sort=serial"' in page
    assert b"lab" not in htmx(found[1]).content
    assert htmx(found[1]).status_code == 404
    assert htmx("/devices/views/save", {"name": "", "query": ""}).status_code == 422


def test_what_a_device_says_and_is_called_cannot_be_markup(
    client: Client, fleet_host: Any, outside: Outside
) -> None:
    device = a_device(
        fleet_host, reason="<script>alert(1)</script>",
        command_line=["/usr/bin/qemu", "-name", "<i>'x y'"],
    )
    outside.consoles[device.serial] = b"\x1b[31m<script>boo</script>\xff\r\n"
    page = client.get(f"/devices/{device.serial}/").content.decode()
    assert "<script>alert" not in page and "<script>boo" not in page
    assert "secret" not in page and device.secret not in page


def test_a_place_on_the_wall_leads_to_its_device(client: Client, fleet_host: Any) -> None:
    device = a_device(fleet_host, slot=7)
    assert client.get("/devices/at/7").headers["Location"] == f"/devices/{device.serial}/"
    for slot in ("8", "9" * 30):
        answer = client.get(f"/devices/at/{slot}")
        assert answer.status_code == 404 and b"no device in place" in answer.content


def test_a_reason_is_shown_where_there_is_something_to_explain(
    client: Client, fleet_host: Any
) -> None:
    failed = a_device(fleet_host, state=State.FAILED, reason="qemu ended with status 1")
    online = a_device(fleet_host, reason="it reported in")
    assert b"qemu ended with status 1" in client.get(f"/devices/{failed.serial}/").content
    assert b'class="reason-line' not in client.get(f"/devices/{online.serial}/").content


def test_a_command_line_has_an_option_a_line() -> None:
    argv = ["/usr/bin/qemu", "-m", "128", "-nodefaults", "-append", "a b", "tail"]
    assert command_lines(argv) == [
        "/usr/bin/qemu \\", "-m 128 \\", "-nodefaults \\", "-append 'a b' \\", "tail",
    ]
    assert command_lines([]) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_shell_would_take_the_command_line_as_it_was(seed: int) -> None:
    chance = random.Random(seed)
    argv = [
        "".join(chance.choices("-ab ='\"$\\n\n;é*", k=chance.randrange(8))) for _ in range(9)
    ]
    joined = "\n".join(command_lines(argv))
    assert shlex.split(joined.replace(" \\\n", " ")) == argv
