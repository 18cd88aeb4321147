from __future__ import annotations

import random
import shlex
from typing import Any

import pytest
from django.test import Client

from devices.states import State
from devices.views.device import command_lines
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
    assert 'href="?size=25&amp;page=2"' in page
    last = client.get("/devices/?size=25&page=3").content.decode()
    assert "51–60 of 60" in last and 'rel="next"' not in last
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
    assert piece.lstrip().startswith('<div id="listing">') and "<html" not in piece


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
    assert "&lt;script&gt;boo" in page
    assert "secret" not in page and device.secret not in page


def test_a_device_that_is_gone_cannot_be_removed(client: Client, fleet_host: Any) -> None:
    device = a_device(fleet_host, state=State.GONE, slot=None)
    assert b">Remove</button>" not in client.get(f"/devices/{device.serial}/").content


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
