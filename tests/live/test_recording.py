"""The recording that bin/bench live is fed from is what a fleet says today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.live import recording
from devices.live.hub import Hub
from devices.services import bus
from devices.states import State

FILE = Path(recording.__file__).parent / "recordings" / "fleet.jsonl.gz"


def test_a_recording_begins_with_a_fleet_and_goes_on_in_order() -> None:
    states = recording.states(FILE)
    assert len(states) == 1000 and set(states.values()) == {State.ONLINE}
    said = list(recording.said(FILE))
    assert [each.after_s for each in said] == sorted(each.after_s for each in said)
    kinds = {each.channel.split(":")[1] for each in said}
    assert kinds == {"cores", "host", "guests-sample", "changes"}


def test_what_is_said_again_is_said_now() -> None:
    for each in recording.said(FILE):
        again = recording.as_of(each, 5e9)
        if each.channel.startswith(recording.CORES):
            assert bus.unpack_cores(again) == (5e9, each.message[8:])
        else:
            assert json.loads(again) == {**json.loads(each.message), "at": 5e9}


@pytest.mark.asyncio
async def test_a_hub_of_today_understands_the_recording() -> None:
    hub = Hub("unix:///nowhere")
    hub.board.put_all_states(recording.states(FILE))
    for each in recording.said(FILE):
        await hub._heard(each.channel, recording.as_of(each, 5e9))
    assert "vm" in hub.renderer.samples
    assert "cores" in hub.board.topics
    assert not any(state == State.ONLINE for _, state in hub.board.slots.values())
    await hub.stop()
