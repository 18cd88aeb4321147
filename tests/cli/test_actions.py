"""Actions, lists, tokens and events of bin/fleet, as a process."""

from __future__ import annotations

import json
import os
import pty
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.api.served import CHECKOUT, ROWS, Served
from tests.cli.conftest import Run, environment, run_fleet

TWO = ROWS + "devices(['fd-000001', 'fd-000002'], 'online')"


def test_devices_are_tagged_found_by_tag_and_untagged(empty: Served, run: Run) -> None:
    empty.python(TWO)
    done = run("tag", "--name", "lab", "fd-000002")
    assert (done.returncode, done.stdout) == (0, "1 of 1 tagged in 0.0 s\n"), done.stderr
    listed = run("ls", "--tag", "lab").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["SERIAL", "fd-000002"]
    assert run("ls", "--state", "online", "--count").stdout == "2\n"
    assert run("tags").stdout.splitlines()[1].split() == ["lab", "1"]
    # no question: a tag breaks nothing
    assert run("untag", "--name", "lab", "--all").returncode == 0
    assert run("ls", "--tag", "lab").stdout == "No device matches.\n"


def test_what_is_done_to_all_that_match_is_asked_first(empty: Served, run: Run) -> None:
    empty.python(TWO)
    done = run("power-off", "--state", "online")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Power off 2 devices? Say so with --yes" in done.stderr
    assert empty.rows("select count(*) from devices_operation") == [(0,)]
    begun = run("power-off", "--state", "online", "--yes", "--no-wait", "--json")
    assert begun.returncode == 0, begun.stderr
    operation = json.loads(begun.stdout)
    assert (operation["kind"], operation["count"]) == ("power_off", 2)
    shown = json.loads(run("operation", str(operation["id"]), "--json").stdout)
    assert {device["serial"] for device in shown["devices"]} == {"fd-000001", "fd-000002"}
    listed = run("operations", "--kind", "power_off").stdout.splitlines()
    assert listed[1].split()[:3] == [str(operation["id"]), "power", "off"]


def test_on_a_terminal_it_asks(empty: Served) -> None:
    empty.python(TWO)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(CHECKOUT / "bin" / "fleet"), "reboot", "--all"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(FLEETDASH_VAR=str(empty.folder)),
    )  # fmt: skip
    os.write(ours, b"n\n")
    _, said = process.communicate(timeout=30)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 1
    assert "Reboot 2 devices? [y/N]" in said
    assert empty.rows("select count(*) from devices_operation") == [(0,)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["reboot"],
        ["reboot", "fd-000001", "--all"],
        ["reboot", "--all", "--state", "online"],
        ["power-off", "3"],
        ["tag", "fd-000001"],
        ["operations", "--kind", "fly"],
        ["token", "create", "x", "--days", "0"],
        ["token"],
        ["completion", "csh"],
    ],
)
def test_an_action_asked_for_wrongly_is_2(arguments: list[str], tmp_path: Path) -> None:
    done = run_fleet(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "usage: fleet" in done.stderr


def test_a_token_of_scope_read_looks_and_changes_nothing(empty: Served, run: Run) -> None:
    made = run("token", "create", "dashboard", "--scope", "read", "--days", "3")
    key = made.stdout.strip()
    assert key.startswith("fdr_"), made.stderr
    assert run("status", FLEETDASH_TOKEN=key).returncode == 0
    refused = run("add", "1", "--no-wait", FLEETDASH_TOKEN=key)
    assert (refused.returncode, "may look and change nothing" in refused.stderr) == (1, True)
    listed = json.loads(run("token", "ls", "--json").stdout)
    token = next(each for each in listed if each["name"] == "dashboard")
    assert token["scope"] == "read" and token["expires_at"] is not None
    revoked = run("token", "revoke", str(token["id"]), "--json")
    assert json.loads(revoked.stdout) == {"id": token["id"], "revoked": True}
    assert "The token is unknown" in run("status", FLEETDASH_TOKEN=key).stderr


def test_what_happens_is_followed(empty: Served, run: Run) -> None:
    empty.python(TWO)
    begun = json.loads(run("tag", "--name", "lab", "fd-000001", "--json").stdout)
    first = empty.rows("select min(id) from devices_event")[0][0]
    said = run("events", "--after", str(first - 1), "--limit", "1", "--kind", "device")
    assert "fd-000001  tagged lab  by ada" in said.stdout, said.stderr
    as_json = run("events", "--after", str(first - 1), "--limit", "1", "--json")
    assert json.loads(as_json.stdout)["operation"] == begun["id"]


def test_what_there_is_is_told(empty: Served, run: Run) -> None:
    assert run("hosts").stdout.splitlines()[1].split()[:3] == ["here", "x64", "2"]
    assert "arm64" in run("firmware").stdout
    assert "more devices fit beside 0" in run("capacity").stdout
    assert json.loads(run("capacity", "--cold", "--json").stdout)["devices"] == 0


COMPLETE = """
source <({fleet} completion bash)
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _fleet
echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("fleet sh", "show shut-down"),
        ("fleet token cr", "create"),
        ("fleet ls --state off", "offline off"),
        ("fleet --x ls --cou", "--count"),
        ("fleet completion f", "fish"),
    ],
)
def test_bash_completes(words: str, found: str) -> None:
    script = COMPLETE.format(fleet=CHECKOUT / "bin" / "fleet", words=words)
    done = subprocess.run(
        ["bash", "--norc", "-euc", script], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout.strip(), done.stderr) == (found, "")


def test_an_address_without_tls_and_one_that_nobody_knows_are_said(run: Run) -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}"
    no_tls = run("status", FLEETDASH_URL=url, FLEETDASH_TOKEN="x")
    thread.join(timeout=10)
    server.server_close()
    assert "does not speak TLS: is it http://" in no_tls.stderr
    quick = "timeout:1 attempts:1"
    unknown = run(
        "status", FLEETDASH_URL="http://fleet.invalid", FLEETDASH_TOKEN="x", RES_OPTIONS=quick
    )
    assert "No address is known for the name in http://fleet.invalid" in unknown.stderr


def test_a_certificate_nobody_vouches_for_is_said(tmp_path: Path, run: Run) -> None:
    files = [str(tmp_path / name) for name in ("key.pem", "certificate.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=127.0.0.1", "-keyout", files[0], "-out", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    url = f"https://127.0.0.1:{server.server_port}"
    done = run("status", FLEETDASH_URL=url, FLEETDASH_TOKEN="x")
    thread.join(timeout=10)
    server.server_close()
    assert done.returncode == 1
    assert f"The certificate of {url} is none that this machine trusts" in done.stderr
