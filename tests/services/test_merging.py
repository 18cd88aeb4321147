from __future__ import annotations

import pytest

from devices.services import bus, merging
from devices.services.growth import Growth

MIB = 1 << 20


def test_what_guests_grow_by_at_work_does_not_count() -> None:
    growth = Growth()
    assert growth.bytes_after({"a": 30 * 1024, "b": 20 * 1024}) == 0
    assert growth.bytes_after({"a": 60 * 1024, "b": 40 * 1024}) == 0


def test_a_reboot_counts_once_and_again_after_its_memory_has_merged() -> None:
    growth = Growth()
    sizes = [30, 150, 150, 90, 150]
    found = [growth.bytes_after({"a": mib * 1024}) // MIB for mib in sizes]
    assert found == [0, 120, 120, 120, 180]


def test_a_guest_that_is_gone_is_forgotten() -> None:
    growth = Growth()
    growth.bytes_after({"a": 30 * 1024})
    growth.bytes_after({})
    assert growth.bytes_after({"a": 150 * 1024}) == 0


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize(("mode", "says"), [("off", "Switched off"), ("leave", "Left to the")])
def test_an_operators_choice_is_honoured_and_said(mode: str, says: str, settings: object) -> None:
    settings.KSM = mode  # type: ignore[attr-defined]
    merger = merging.Merger("here", lambda: 0)
    merger.start()
    merger.stop()
    status = bus.merging_status("here")
    assert status is not None
    assert (status["state"], status["core_share"]) == ("off", None)
    assert says in status["sentence"]
    assert not merger.holds
