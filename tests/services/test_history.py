from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.models import HistoryPoint
from devices.services import history
from devices.services.history import FLEET, TIERS, Column

pytestmark = pytest.mark.django_db

# the beginning of a week's step
BEGIN_S = 1_800_000_000 // 600 * 600
ROOT = Path(__file__).resolve().parents[2]


def at(seconds: float) -> datetime:
    """A moment so long after the beginning."""
    return datetime.fromtimestamp(BEGIN_S + seconds, UTC)


def write(first_s: int, last_s: int, **figures: float) -> None:
    """Write the fleet's figures at every step of five seconds, the last left out."""
    previous = None
    for second in range(first_s, last_s, 5):
        history.write(BEGIN_S + second, {FLEET: figures}, last_s=previous)
        previous = BEGIN_S + second


def test_what_was_written_is_read_in_steps_of_five_seconds() -> None:
    for second, online in ((0, 1), (5.4, 2), (14.9, 3)):
        history.write(BEGIN_S + second, {FLEET: {"online": online}, "here": {"online": 9}})
    reading = history.read(FLEET, "hour", now=at(15))
    assert (reading.step_s, reading.at) == (5, [BEGIN_S, BEGIN_S + 5, BEGIN_S + 10])
    assert reading.figures == {"online": Column([1, 2, 3], None, None)}
    assert history.read("here", "hour", now=at(15)).figures["online"].mean == [9, 9, 9]
    assert history.read(FLEET, "hour", now=at(15), after=BEGIN_S + 5).figures["online"].mean == [3]


def test_a_step_in_which_nothing_was_written_is_a_gap() -> None:
    history.write(BEGIN_S, {FLEET: {"online": 1, "load": 0.5}})
    history.write(BEGIN_S + 15, {FLEET: {"online": 2}})
    reading = history.read(FLEET, "hour", now=at(20))
    assert reading.at == [BEGIN_S, BEGIN_S + 5, BEGIN_S + 10, BEGIN_S + 15]
    assert reading.figures["online"].mean == [1, None, None, 2]
    assert reading.figures["load"].mean == [0.5, None, None, None]


def test_a_ring_holds_so_many_points_and_the_newest_take_the_place_of_the_oldest() -> None:
    steps = history.FINEST.length + 3
    write(0, 5 * steps, online=1)
    history.write(BEGIN_S + 5 * steps, {FLEET: {"online": 2}})
    assert HistoryPoint.objects.filter(tier=5).count() == history.FINEST.length
    reading = history.read(FLEET, "hour", now=at(5 * steps))
    assert len(reading.at) == history.FINEST.length
    assert (reading.at[0], reading.at[-1]) == (BEGIN_S + 20, BEGIN_S + 5 * steps)
    assert reading.figures["online"].mean[-2:] == [1, 2]


def test_what_a_ring_has_not_written_over_yet_is_not_taken_for_new() -> None:
    write(0, 60, online=1)
    later = BEGIN_S + history.FINEST.reach_s + 30
    history.write(later, {FLEET: {"online": 2}})
    reading = history.read(FLEET, "hour", now=datetime.fromtimestamp(later, UTC))
    assert reading.at[0] == BEGIN_S + 35
    assert len(reading.at) == history.FINEST.length


def test_a_coarser_step_tells_mean_least_and_most() -> None:
    write(0, 30, online=10)
    write(30, 60, online=20)
    write(60, 125, online=4)
    reading = history.read(FLEET, "day", now=at(125))
    assert (reading.step_s, reading.at) == (60, [BEGIN_S, BEGIN_S + 60])
    assert reading.figures["online"] == Column([15.0, 4.0], [10, 4], [20, 4])


def test_the_coarsest_step_is_made_of_the_one_before() -> None:
    write(0, 300, online=10)
    write(300, 605, online=20)
    reading = history.read(FLEET, "week", now=at(605))
    assert (reading.step_s, reading.at) == (600, [BEGIN_S])
    assert reading.figures["online"] == Column([15.0], [10], [20])


def test_the_step_in_which_writing_ended_is_not_lost() -> None:
    write(0, 100, online=7)
    # nobody wrote for five minutes
    write(400, 405, online=9)
    reading = history.read(FLEET, "day", now=at(405))
    assert reading.at == [BEGIN_S, BEGIN_S + 60]
    assert reading.figures["online"].mean == [7.0, 7.0]
    write(420, 425, online=9)
    reading = history.read(FLEET, "day", now=at(425))
    assert reading.figures["online"].mean == [7.0, 7.0, None, None, None, None, 9.0]


def test_a_figure_that_was_not_always_known_has_a_mean_of_what_was() -> None:
    history.write(BEGIN_S, {FLEET: {"load": 4.0}})
    history.write(BEGIN_S + 5, {FLEET: {}})
    history.write(BEGIN_S + 60, {FLEET: {}}, last_s=BEGIN_S + 5)
    reading = history.read(FLEET, "day", now=at(60))
    assert reading.figures == {"load": Column([4.0], [4.0], [4.0])}


def test_nothing_known_is_an_empty_reading() -> None:
    assert history.read("nowhere", "week").at == []


def test_the_series_of_a_host_that_is_no_more_is_deleted_after_the_longest_ring() -> None:
    old_s = datetime.now(UTC).timestamp() - TIERS[-1].reach_s - 60
    history.write(old_s, {"gone": {"online": 1}})
    history.write(old_s + 3600, {"there": {"online": 1}})
    history.tidy()
    assert set(HistoryPoint.objects.values_list("series", flat=True)) == {"there"}


def test_history_outlives_the_processes_that_wrote_it(tmp_path: Path) -> None:
    def run(code: str) -> str:
        """In a process of its own, with the database in a file."""
        done = subprocess.run(
            [sys.executable, "-c", "import django; django.setup()\n" + code], cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "fleetdash.settings",
                 "DATABASE_URL": f"sqlite:///{tmp_path}/fleet.sqlite3"},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    writing = "from devices.services import history\nfor s in range({}, {}, 5):\n" \
        "    history.write({} + s, {{'': {{'online': {}}}}})\n"
    run(
        "from django.core.management import call_command\ncall_command('migrate', verbosity=0)\n"
        + writing.format(0, 65, BEGIN_S, 3)
    )
    read = (
        "from datetime import UTC, datetime\n"
        "for window in ('hour', 'day'):\n"
        f"    now = datetime.fromtimestamp({BEGIN_S} + 130, UTC)\n"
        "    print(history.read('', window, now=now).figures['online'].mean)\n"
    )
    said = run(writing.format(120, 130, BEGIN_S, 5) + read).splitlines()
    assert said[0] == str([3] * 13 + [None] * 11 + [5, 5])
    assert said[1] == "[3.0, 3.0]"
