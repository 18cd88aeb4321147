from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from tests.api.served import Served
from tests.cli.conftest import Run
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
    ("words", "says"),
    [
        (("set", "swappiness", "201"), "less than or equal to 200."),
        (("set", "turbo", "on"), "There is no lever 'turbo'; there are ksm, zram, swappiness."),
        (("here", "set", "zram"), "This is not understood."),
        (("nowhere",), "There is no host nowhere."),
        (("set", "swappiness", "many"), "'many' is not a whole number."),
    ],
)
def test_what_makes_no_sense_is_a_sentence(run: Run, words: tuple[str, ...], says: str) -> None:
    done = run("host", *words, "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
