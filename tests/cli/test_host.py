from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from fleetdash.cli.host import wish_of
from fleetdash.cli.main import main
from tests.api.served import CHECKOUT, Served
from tests.cli.conftest import Run, environment
from tests.lever_report import a_report


@pytest.fixture
def levers(web: Served) -> Iterator[None]:
    """The host's worker has said how its levers are."""
    with redis.Redis.from_url(web.environment["REDIS_URL"]) as client:
        client.set("fleet:levers:here", json.dumps(a_report()))
        yield
        client.delete("fleet:levers:here")


@pytest.mark.usefixtures("levers")
def test_levers_are_a_table_and_json(run: Run) -> None:
    shown = run("host")
    assert shown.returncode == 0
    assert "auto, merging, 2000 pages / 20 ms" in shown.stdout
    assert "profit -0.0 MiB" in shown.stdout
    assert "here  swappiness  60" in shown.stdout
    found = json.loads(run("host", "here", "--json").stdout)
    assert [each["name"] for each in found[0]["levers"]] == ["ksm", "zram", "swappiness"]


@pytest.mark.usefixtures("levers")
def test_the_machine_is_changed_only_when_that_was_said(run: Run, web: Served) -> None:
    refused = run("host", "set", "swappiness", "80")
    assert refused.returncode == 1
    assert "This changes the machine here, not only fleetdash: say so with --yes." in refused.stderr
    assert web.rows("select levers from devices_host") == [("{}",)]


@pytest.mark.usefixtures("levers")
@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("set", "swappiness", "201"), 2, "less than or equal to 200."),
        (("nowhere",), 1, "There is no host nowhere."),
    ],
)
def test_what_the_fleet_refuses_is_a_sentence(
    run: Run, words: tuple[str, ...], status: int, says: str
) -> None:
    done = run("host", *words, "--yes")
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("set turbo on", "There is no lever 'turbo'; there are ksm, zram, swappiness."),
        ("here set zram", "This is not understood."),
        ("here there", "This is not understood."),
        ("forget", "To forget a machine, name it."),
        ("forget old here", "To forget a machine, name it."),
        ("set swappiness many", "'many' is not a whole number."),
        ("set swappiness 80 90", "'90' is too much."),
        ("set zram 8G lz4 fast", "'fast' is too much."),
        ("set zram off lz4", "'lz4' is too much."),
        ("set ksm auto 100", "'100' is too much."),
        ("set ksm on 100 20 5", "'5' is too much."),
    ],
)
def test_what_makes_no_sense_is_2_and_a_sentence(
    capsys: pytest.CaptureFixture[str], words: str, says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["host", *words.split(), "--yes"])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.fixture
def old_host(web: Served) -> Iterator[None]:
    """A host that never says anything."""
    web.python(
        "from devices.models import Host\n"
        "Host.objects.create(name='old', architecture='x64', cores=2, memory_bytes=1)"
    )
    yield
    web.rows("delete from devices_host where name = 'old'")


@pytest.mark.usefixtures("old_host")
def test_a_machine_is_forgotten_when_that_was_said(run: Run, web: Served) -> None:
    refused = run("host", "forget", "old")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "its devices that are gone, is deleted: say so with --yes." in refused.stderr
    assert web.rows("select count(*) from devices_host where name = 'old'") == [(1,)]
    assert run("host", "forget", "old", "--yes").stdout == "old is forgotten.\n"
    again = run("host", "forget", "old", "--yes")
    assert (again.returncode, again.stderr) == (1, "fleet: There is no host old.\n")


@pytest.mark.parametrize(
    ("lever", "values", "wish"),
    [
        ("swappiness", "80", {"value": 80}),
        ("zram", "8G", {"size": "8G", "algorithm": ""}),
        ("zram", "50% lz4", {"size": "50%", "algorithm": "lz4"}),
        ("ksm", "off", {"mode": "off"}),
        ("ksm", "on", {"mode": "on", "pages_to_scan": 1000, "sleep_ms": 20}),
        ("ksm", "on 100", {"mode": "on", "pages_to_scan": 100, "sleep_ms": 20}),
        ("ksm", "on 100 5", {"mode": "on", "pages_to_scan": 100, "sleep_ms": 5}),
    ],
)
def test_words_become_what_the_api_takes(lever: str, values: str, wish: dict[str, Any]) -> None:
    assert wish_of(lever, values.split()) == wish


@pytest.mark.usefixtures("levers")
def test_no_answer_to_the_question_changes_nothing(web: Served) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(CHECKOUT / "bin" / "fleet"), "host", "set", "swappiness", "80"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(FLEETDASH_VAR=str(web.folder)),
    )  # fmt: skip
    os.write(ours, b"\x04")  # Ctrl-D
    written, said = process.communicate(timeout=30)
    os.close(theirs)
    os.close(ours)
    assert (process.returncode, written) == (1, "")
    assert said.endswith("Set swappiness? [y/N] fleet: Nothing was changed.\n")
