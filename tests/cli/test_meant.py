from __future__ import annotations

from typing import Any

import pytest

from fleetdash.cli import acting
from fleetdash.cli.errors import CliError
from fleetdash.cli.main import main, parser


@pytest.mark.parametrize(
    "which",
    [
        ["--tag", ""], ["--tag", ","], ["--tag", "lab", "--tag", " "], ["--tag", "lab,"],
        ["--host", ""], ["--search", " "], ["--older", ""], ["--state", ""], ["--firmware", ""],
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["remove", "ls"])
def test_a_variable_that_is_not_set_does_not_mean_every_device(
    command: str, which: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    sure = ["--yes"] if command == "remove" else []
    with pytest.raises(SystemExit, match="2"):
        main([command, *which, *sure])
    assert which[0] in capsys.readouterr().err


class Asked:
    """A fleet in which so many devices match; keeps what is begun."""

    def __init__(self, matching: int) -> None:
        self.matching = matching
        self.begun: list[dict[str, Any]] = []

    def get(self, path: str, **query: Any) -> dict[str, int]:
        assert (path, query) == ("devices/count", {"state": ["online"]})
        return {"count": self.matching}

    def begin(self, wish: dict[str, Any]) -> dict[str, Any]:
        self.begun.append(wish)
        return {"state": "running", "id": 1}


def act(fleet: Asked, *options: str) -> int:
    """Reboot what is online in that fleet."""
    given = parser().parse_args(["reboot", "--state", "online", "--no-wait", "--json", *options])
    given.check(given)
    return int(given.run(fleet, given))


@pytest.mark.parametrize("agreed", [True, False])
def test_the_number_that_was_asked_about_is_sent(
    agreed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def answered(question: str) -> bool:
        questions.append(question)
        return agreed

    monkeypatch.setattr(acting, "_agreed", answered)
    fleet = Asked(3)
    assert act(fleet) == (0 if agreed else 1)
    assert questions == ["Reboot 3 devices?"]
    wish = {"kind": "reboot", "matching": {"state": ["online"]}, "confirmed": 3}
    assert fleet.begun == ([wish] if agreed else [])


def test_who_is_not_asked_confirms_no_number() -> None:
    fleet = Asked(3)
    assert act(fleet, "--yes") == 0
    assert fleet.begun == [{"kind": "reboot", "matching": {"state": ["online"]}}]


def test_where_nothing_matches_nothing_is_asked_or_begun() -> None:
    fleet = Asked(0)
    with pytest.raises(CliError, match="No device matches"):
        act(fleet)
    assert fleet.begun == []
