"""`fleet history`, of a fleet with three moments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleetdash.cli.errors import CliError
from fleetdash.cli.main import parser


class Past:
    """A fleet that remembers two figures at three moments, or nothing yet."""

    def __init__(self, *, empty: bool = False) -> None:
        self.empty = empty

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        assert (path, query) == ("history", {"series": None, "window": "day"})
        busy = {"mean": [0.1, 0.2, None], "least": [0.0, 0.1, None], "most": [0.2, 0.3, None]}
        online = {"mean": [1.0, 2.0, 3.0], "least": None, "most": None}
        return {
            "series": "",
            "at": [] if self.empty else [60, 120, 180],
            "figures": {} if self.empty else {"busy": busy, "online": online},
            "operations": [{"id": 1}],
        }


def show(*options: str, past: Past | None = None) -> int:
    given = parser().parse_args(["history", "--window", "day", *options])
    return int(given.run(past or Past(), given))


def test_programs_get_no_more_than_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert show("--json", "--limit", "2", "--figure", "busy") == 0
    assert json.loads(capsys.readouterr().out) == {
        "series": "",
        "at": [120, 180],
        "figures": {"busy": {"mean": [0.2, None], "least": [0.1, None], "most": [0.3, None]}},
        "operations": [{"id": 1}],
    }
    assert show("--json", "--limit", "1") == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["online"] == {"mean": [3.0], "least": None, "most": None}
    assert set(figures) == {"busy", "online"}


def test_people_see_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert show("--limit", "2", "--figure", "online") == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["AT", "(UTC)", "ONLINE"]
    assert [row.split()[-1] for row in rows] == ["2", "3"]


@pytest.mark.parametrize("more", [[], ["--json"], ["--figure", "busy"]])
def test_a_figure_that_there_is_not_is_asked_wrongly(more: list[str]) -> None:
    with pytest.raises(CliError, match=r"no figure onlin; there are: busy, online\.$") as refused:
        show("--figure", "onlin", *more)
    assert refused.value.ends_with == 2


def test_of_a_fleet_that_has_just_begun_there_is_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show("--figure", "busy", past=Past(empty=True)) == 0
    assert capsys.readouterr().out == "Nothing has been written yet.\n"
    assert show("--figure", "busy", "--json", past=Past(empty=True)) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == {}
