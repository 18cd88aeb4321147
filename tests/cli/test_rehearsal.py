"""What a rehearsal removes when it is broken off, against a fleet that is made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fleetdash.cli import rehearse
from fleetdash.cli.client import Fleet
from fleetdash.cli.errors import Refused, Unreachable

AWAY = "Nothing answers."


class MadeUp(Fleet):
    """Adds devices at once; raises `broken` once, at the place it is told."""

    def __init__(self, breaks_at: str, broken: BaseException) -> None:
        self.breaks_at, self.broken = breaks_at, broken
        self.online: dict[str, int] = {}
        self.begun: dict[str, dict[str, Any]] = {}

    def _break(self, at: str) -> None:
        if at == self.breaks_at:
            self.breaks_at = ""
            raise self.broken

    def begin(self, wish: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        self._break("before the addition")
        if key not in self.begun:
            number = len(self.begun)
            if wish["kind"] == "add":
                self.online.update({f"fd-{number}-{n}": number for n in range(wish["count"])})
            else:
                for serial in wish["serials"]:
                    del self.online[serial]
            self.begun[key] = {
                "id": number, "kind": wish["kind"], "created_at": number, "state": "succeeded",
                "count": 2, "done": 2, "failed": 0, "cancelled": 0, "pending": 0, "seconds": 1.0,
                "rate_per_s": 2.0, "p50_s": 1.0, "p95_s": 1.0, "note": "", "held": "",
            }  # fmt: skip
        self._break("after the addition")
        return self.begun[key]

    def get(self, path: str, **query: Any) -> Any:
        number = int(path.removeprefix("operations/"))
        return next(each for each in self.begun.values() if each["id"] == number)

    def post(self, path: str, *given: Any, **more: Any) -> dict[str, Any]:
        raise Refused(409, "The operation has ended already.")

    def devices(self, **query: Any) -> Iterator[dict[str, Any]]:
        self._break("listing")
        for serial, number in self.online.items():
            yield {"serial": serial, "requested_at": number, "start": "warm"}


@pytest.mark.parametrize("broken", [KeyboardInterrupt(), Unreachable(AWAY, may_be_done=True)])
@pytest.mark.parametrize("at", ["after the addition", "listing"])
def test_what_was_added_is_removed_wherever_it_was_broken_off(
    monkeypatch: pytest.MonkeyPatch, at: str, broken: BaseException
) -> None:
    monkeypatch.setattr(rehearse.Rehearsal, "look", lambda self, needed: True)
    fleet = MadeUp(at, broken)
    fleet.online["fd-other"] = -1
    status = rehearse.rehearse(fleet, count=2, as_json=False)
    assert status == (130 if isinstance(broken, KeyboardInterrupt) else 1)
    assert fleet.online == {"fd-other": -1}
    assert [each["kind"] for each in fleet.begun.values()] == ["add", "remove"]


def test_what_was_never_asked_for_is_not_asked_for_to_be_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rehearse.Rehearsal, "look", lambda self, needed: True)
    fleet = MadeUp("before the addition", Unreachable(AWAY))
    assert rehearse.rehearse(fleet, count=2, as_json=False) == 1
    assert fleet.begun == {}
