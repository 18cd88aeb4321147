from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from devices.host import inventory
from devices.host.endings import Ending
from devices.poller.watch import PidfdWatch
from tests.open_files import open_files
from tests.poller.conftest import Sleepers, until

# since Linux 6.15 (devices.host.endings)
TELLS = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 15)


class Ends:
    """What a watch told, in batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.how: dict[str, Ending] = {}
        self.failures = 0

    def __call__(self, ended: Mapping[str, Ending]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the database is locked")
        self.batches.append(list(ended))
        self.how.update(ended)

    @property
    def serials(self) -> list[str]:
        return sorted(serial for batch in self.batches for serial in batch)


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def watch(ends: Ends) -> Iterator[PidfdWatch]:
    made = PidfdWatch(ends, boot_id=inventory.boot_id())
    made.start()
    yield made
    made.stop()


def test_a_death_is_told_though_nobody_has_waited_for_it(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    watch.add([sleepers.start("a"), sleepers.start("b")])
    # its parent has not waited for it: a zombie is dead all the same
    sleepers.kill("a", reap=False)
    until(lambda: ends.batches)
    assert ends.batches == [["a"]]
    assert [guest.serial for guest in watch.guests()] == ["b"]


def test_many_deaths_at_once_are_told_together(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    serials = [f"g{n:02}" for n in range(40)]
    watch.add([sleepers.start(serial) for serial in serials])
    for serial in serials:
        sleepers.kill(serial, reap=False)
    until(lambda: len(ends.serials) == 40)
    assert ends.serials == serials
    assert len(ends.batches) < 10
    assert watch.guests() == []


def test_a_guest_dead_before_it_was_added_counts_as_ended(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    guest = sleepers.start("a")
    sleepers.kill("a")
    watch.add([guest])
    until(lambda: ends.serials == ["a"])


def test_a_number_given_to_another_process_counts_as_ended(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    guest = sleepers.start("a")
    watch.add([guest._replace(start_time=guest.start_time - 1)])
    until(lambda: ends.serials == ["a"])
    assert watch.guests() == []


def test_a_guest_of_an_earlier_boot_counts_as_ended(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    watch.add([sleepers.start("a")._replace(boot_id="yesterday")])
    until(lambda: ends.serials == ["a"])


def test_what_the_worker_ended_itself_is_not_told(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    watch.add([sleepers.start("a"), sleepers.start("b")])
    watch.remove(["a", "unknown"])
    sleepers.kill("a")
    sleepers.kill("b")
    until(lambda: ends.batches)
    assert ends.serials == ["b"]


def test_a_guest_started_again_is_watched_as_its_new_process(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    old = sleepers.start("a")
    watch.add([old])
    first = sleepers.processes["a"]
    new = sleepers.start("a")
    watch.add([new])
    first.kill()
    first.wait()
    time.sleep(0.15)
    assert ends.batches == []
    assert watch.guests() == [new]
    sleepers.kill("a")
    until(lambda: ends.serials == ["a"])


def test_a_list_adds_what_is_missing_and_drops_what_is_not_on_it(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    kept, dropped, missing = (sleepers.start(serial) for serial in "abc")
    watch.add([kept, dropped])
    watch.reconcile([kept, missing], as_of=time.monotonic())
    assert {guest.serial for guest in watch.guests()} == {"a", "c"}
    for serial in "abc":
        sleepers.kill(serial)
    until(lambda: len(ends.serials) == 2)
    assert ends.serials == ["a", "c"]


def test_a_list_older_than_the_news_does_not_undo_it(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    as_of = time.monotonic()
    listed, new, renewed = (sleepers.start(serial) for serial in "abc")
    watch.add([new, renewed])
    watch.reconcile([listed, renewed._replace(start_time=1)], as_of=as_of)
    assert sorted(watch.guests()) == [listed, new, renewed]
    assert ends.batches == []


def test_an_event_that_is_out_of_date_ends_no_guest(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    guest = sleepers.start("a")
    watch.add([guest])
    # as when a dead guest's number went to a living guest's pidfd between the event and its turn
    with watch._lock:
        watch._see(watch._pidfds["a"])
    assert watch.guests() == [guest]


def test_an_end_that_could_not_be_taken_in_is_told_again(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers, caplog: pytest.LogCaptureFixture
) -> None:
    ends.failures = 1
    watch.add([sleepers.start("a")])
    with caplog.at_level(logging.ERROR):
        sleepers.kill("a")
        until(lambda: ends.serials == ["a"])
    assert "The end of 1 guests was not taken in" in caplog.text


def test_one_open_file_a_guest_and_none_left_over(ends: Ends, sleepers: Sleepers) -> None:
    before = open_files()
    watch = PidfdWatch(ends, boot_id=inventory.boot_id())
    watch.start()
    idle = open_files()
    guests = [sleepers.start(f"g{n}") for n in range(10)]
    watch.add(guests)
    watch.add(guests)
    assert open_files() == idle + 10
    watch.remove(guest.serial for guest in guests[:4])
    assert open_files() == idle + 6
    watch.stop()
    assert open_files() == before


def test_it_watches_beyond_a_thousand_open_files(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        watch.add([sleepers.start("a")])
        sleepers.kill("a")
        until(lambda: ends.serials == ["a"])
    finally:
        for file in files:
            os.close(file)


def test_coming_and_going_while_it_watches(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    keepers = [sleepers.start(f"k{n}") for n in range(5)]
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            watch.add(keepers)
            watch.remove(guest.serial for guest in keepers)

    thread = threading.Thread(target=churn)
    thread.start()
    for n in range(20):
        watch.add([sleepers.start(f"d{n:02}")])
        sleepers.kill(f"d{n:02}", reap=False)
    until(lambda: len(ends.serials) >= 20)
    stop.set()
    thread.join()
    assert ends.serials == [f"d{n:02}" for n in range(20)]


def test_how_a_guest_ended_is_told_once_somebody_has_waited_for_it(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers
) -> None:
    watch.add([sleepers.start("killed"), sleepers.start("asked"), sleepers.start("zombie")])
    sleepers.kill("killed")
    sleepers.processes["asked"].terminate()
    sleepers.processes["asked"].wait()
    sleepers.kill("zombie", reap=False)
    until(lambda: len(ends.serials) == 3)
    assert ends.how["zombie"] == Ending()
    if TELLS:
        assert ends.how["killed"] == Ending(signal=signal.SIGKILL)
        assert ends.how["asked"] == Ending(signal=signal.SIGTERM)


def test_how_it_ended_is_not_lost_when_it_could_not_be_taken_in(
    watch: PidfdWatch, ends: Ends, sleepers: Sleepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.poller.watch.RETRY_S", 0.05)
    monkeypatch.setattr("devices.host.endings.of", lambda pidfd: Ending(status=7))
    ends.failures = 1
    watch.add([sleepers.start("a")])
    sleepers.kill("a")
    until(lambda: ends.serials == ["a"])
    assert ends.how == {"a": Ending(status=7)}
