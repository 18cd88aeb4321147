"""Arguments that cannot be asked with, without a fleet."""

from __future__ import annotations

import os

import pytest

from fleetdash.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["events", "--after", "é"], "'é' is not the number of an event"),
        (["events", "--after", "-1"], "--after"),
        (["reboot", "10"], "named by their serials; only remove takes how many"),
        (["remove", "1", "fd-000001"], "either one number or serials, not both"),
        (["ls", "--search", os.fsdecode(b"\xe9")], "an argument is not text in UTF-8"),
        (["show", os.fsdecode(b"\xff")], "an argument is not text in UTF-8"),
    ],
)
def test_what_nobody_can_answer_is_2_and_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
