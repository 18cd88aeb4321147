from __future__ import annotations

from copy import deepcopy
from typing import Any

from bench.cycle import leaks

EMPTY: dict[str, Any] = {
    "guests": 0,
    "in_the_control_group": 1,
    "folders": 0,
    "living_rows": 0,
    "processes": {"web": 10, "gateway": 11},
    "files": {"web": 40, "gateway": 30},
    "sockets": {"web": 8, "gateway": 6},
    "pss_mib": {"web": 80.0, "gateway": 60.0},
    "available_mib": 20_000,
}


def looks(**changed: Any) -> dict[str, Any]:
    """Two rounds, the second changed: `what=value` or `what__process=value`."""
    found = {name: deepcopy(EMPTY) for name in ("empty", "empty_1", "empty_2")}
    for key, value in changed.items():
        what, _, process = key.partition("__")
        if process:
            found["empty_2"][what][process] = value
        else:
            found["empty_2"][what] = value
    return found


def test_the_same_as_before_is_no_leak() -> None:
    assert leaks(looks(files__web=45, available_mib=19_900, pss_mib__web=90.0), 2) == []


def test_everything_that_stays_behind_is_named() -> None:
    found: list[tuple[dict[str, Any], str]] = [
        ({"guests": 3}, "after round 2 3 guests are left"),
        ({"folders": 1}, "1 folders are left"),
        ({"living_rows": 2}, "2 living_rows are left"),
        ({"in_the_control_group": 4}, "holds 4 processes, before it held 1"),
        ({"files__gateway": 130}, "gateway has 100 more files open"),
        ({"sockets__gateway": 106}, "gateway has 100 more sockets open"),
        ({"pss_mib__web": 180.0}, "web takes 100 MiB more"),
        ({"available_mib": 19_000}, "1000 MiB less are available"),
        ({"processes__web": 77}, "web is another process"),
    ]
    for changed, words in found:
        (sentence,) = leaks(looks(**changed), 2)
        assert words in sentence


def test_what_the_first_fleet_makes_a_process_keep_is_no_leak() -> None:
    found = looks()
    found["empty"]["files"]["web"] = 5
    found["empty"]["pss_mib"]["web"] = 5.0
    assert leaks(found, 2) == []
