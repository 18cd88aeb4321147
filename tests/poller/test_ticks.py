from __future__ import annotations

import pytest

from devices.poller.ticks import Ticks


class Time:
    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        return len(self.waited) > 6


def test_it_beats_on_the_beat_however_long_the_work_takes() -> None:
    time = Time()
    beats = []
    for beat in Ticks(0.25, clock=lambda: time.now).until(time.wait):
        beats.append((beat, time.now - 1000.0))
        time.now += 0.1
    assert [beat for beat, _ in beats] == [1, 2, 3, 4, 5, 6]
    assert [at for _, at in beats] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.25, 1.5])
    assert time.waited[1:] == pytest.approx([0.15] * 6)


def test_late_beats_are_skipped_not_queued() -> None:
    time = Time()
    beats = []
    for beat in Ticks(0.25, clock=lambda: time.now).until(time.wait):
        beats.append(beat)
        if beat == 2:
            time.now += 0.9
    assert beats == [1, 2, 6, 7, 8, 9]


def test_it_ends_when_told_to() -> None:
    assert list(Ticks(0.25).until(lambda _: True)) == []
