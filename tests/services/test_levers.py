from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from devices.errors import BadRequest, Conflict, FleetError, NotFound, Unavailable
from devices.host import kernel_settings, ksm_control
from devices.models import Event, Host
from devices.services import bus, lever_work, levers, seen
from devices.services.levers import Lever
from devices.services.merging import Merger
from tests.host.machine import a_machine, ksm
from tests.rows import a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
SWAPPINESS = "vm/swappiness"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """The machine whose worker is at work: files, and no other fleet."""
    monkeypatch.setattr(lever_work, "ROOT", a_machine(tmp_path))
    monkeypatch.setattr(lever_work, "_set_again", set())
    monkeypatch.setattr(ksm_control, "_write", _write_at_once)
    settings.FLEET_ID = "mine"
    return tmp_path


def _write_at_once(folder: Path, name: str, value: str) -> None:
    """As the kernel takes a value: who reads meanwhile never finds the file empty."""
    new = folder.parent / name
    new.write_text(value)
    new.replace(folder / name)


@pytest.fixture
def merger(root: Path) -> Iterator[Merger]:
    """What paces merging in the worker."""
    made = Merger("here", lambda: 0, root)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr("devices.services.dispatch.to_host", lambda *given: sent.append(given))
    return sent


@pytest.fixture
def host(root: Path) -> Host:
    """A host whose worker has said how its levers are."""
    made = a_host("here")
    lever_work.say("here")
    return made


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna")


def asked(host: Host, lever: Lever) -> dict[str, Any]:
    host.refresh_from_db()
    found: dict[str, Any] = host.levers[lever]
    return found


def swappiness(root: Path) -> str | None:
    return kernel_settings.read(SWAPPINESS, root)


def test_a_wish_goes_to_the_worker_which_says_from_what_to_what(
    host: Host, root: Path, anna: User, dispatched: list[tuple[str, str]],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        levers.set_swappiness("here", 80, actor=anna)
    assert dispatched == [("set_levers", "here")]
    view = next(each for each in levers.all_of(asked_host(host)) if each.name == "swappiness")
    assert view.pending
    assert swappiness(root) == "60"
    lever_work.work("here")
    assert swappiness(root) == "80"
    outcome = asked(host, Lever.SWAPPINESS)
    assert (outcome["state"], outcome["was"], outcome["now"]) == ("done", "60", "80")
    event = Event.objects.get()
    assert (event.text, event.actor, event.host) == ("swappiness: 60 → 80", anna, host)
    view = next(each for each in levers.all_of(asked_host(host)) if each.name == "swappiness")
    assert (view.pending, view.present, view.before) == (False, {"value": 80}, {"value": 60})


def asked_host(host: Host) -> Host:
    return Host.objects.get(id=host.id)


def test_a_worker_that_starts_sets_again_what_is_wished_for_until_bin_down(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levers.set_swappiness("here", 80, actor=None)
    lever_work.work("here")
    (root / "proc/sys" / SWAPPINESS).write_text("60")
    lever_work.work("here")
    assert swappiness(root) == "60", "what somebody set by hand is not fought over"
    monkeypatch.setattr(lever_work, "_set_again", set())  # another process
    lever_work.work("here")
    assert swappiness(root) == "80"
    kernel_settings.release("mine", root)
    levers.forget("here")
    monkeypatch.setattr(lever_work, "_set_again", set())
    lever_work.work("here")
    assert swappiness(root) == "60"


def test_a_wish_that_failed_does_not_take_the_place_of_one_that_holds(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levers.set_swappiness("here", 80, actor=None)
    lever_work.work("here")
    levers.set_swappiness("here", 90, actor=None)
    host.refresh_from_db()
    host.levers["swappiness"]["asked_at"] = (timezone.now() - timedelta(minutes=2)).isoformat()
    host.save()
    lever_work.work("here")
    assert asked(host, Lever.SWAPPINESS)["state"] == "failed"
    (root / "proc/sys" / SWAPPINESS).write_text("60")
    monkeypatch.setattr(lever_work, "_set_again", set())  # another process
    lever_work.work("here")
    assert swappiness(root) == "80"


def test_a_wish_that_is_old_by_the_time_the_worker_comes_to_it_is_dropped(
    host: Host, root: Path
) -> None:
    levers.set_swappiness("here", 80, actor=None)
    host.refresh_from_db()
    host.levers["swappiness"]["asked_at"] = (timezone.now() - timedelta(minutes=2)).isoformat()
    host.save()
    lever_work.work("here")
    assert swappiness(root) == "60"
    outcome = asked(host, Lever.SWAPPINESS)
    assert outcome["state"] == "failed"
    assert "only after 120 s" in outcome["problem"]
    assert "could not be changed" in Event.objects.get().text


@pytest.mark.parametrize(
    ("lever", "wish"),
    [
        ("swappiness", {"value": 201}),
        ("swappiness", {"value": "80; reboot"}),
        ("swappiness", {}),
        ("ksm", {"mode": "on", "pages_to_scan": 10**9, "sleep_ms": 20}),
        ("ksm", {"mode": "../run"}),
        ("zram", {"size_bytes": 1 << 60}),
    ],
)
@pytest.mark.usefixtures("merger")
def test_the_worker_takes_no_value_from_a_row_unchecked(
    host: Host, root: Path, lever: str, wish: dict[str, Any]
) -> None:
    now = timezone.now().isoformat()
    host.levers = {
        lever: {"wish": wish, "by": "", "actor": None, "asked_at": now, "state": "asked"}
    }
    host.save()
    before = swappiness(root), ksm(root, "pages_to_scan")
    lever_work.work("here")
    assert asked(host, Lever(lever))["state"] == "failed"
    assert (swappiness(root), ksm(root, "pages_to_scan")) == before


def test_ksm_is_merged_at_a_fixed_pace_switched_off_and_given_back(
    host: Host, root: Path, merger: Merger
) -> None:
    lever_work.work("here")
    levers.set_ksm("here", "on", pages_to_scan=700, sleep_ms=30, actor=None)
    lever_work.work("here")
    assert [ksm(root, n) for n in ("run", "pages_to_scan", "sleep_millisecs")] == ["1", "700", "30"]
    status = bus.merging_status("here")
    assert status is not None
    assert "700 pages, then 30 ms" in status["sentence"]
    assert asked(host, Lever.KSM)["now"] == "on, 700 pages, then 30 ms of rest"
    levers.set_ksm("here", "off", actor=None)
    lever_work.work("here")
    assert (ksm(root, "run"), merger.holds) == ("0", True)
    levers.set_ksm("here", "leave", actor=None)
    lever_work.work("here")
    assert [ksm(root, n) for n in ("run", "pages_to_scan")] == ["0", "100"]
    assert not merger.holds
    levers.set_ksm("here", "auto", actor=None)
    lever_work.work("here")
    assert (asked(host, Lever.KSM)["state"], merger.holds) == ("done", True)


def test_merging_that_another_fleet_has_in_hand_stays_as_it_was(
    host: Host, root: Path, merger: Merger
) -> None:
    lever_work.work("here")
    merger.choose(merger.choice.__class__("leave", asked=True))
    from devices.host import ksm_control

    theirs = ksm_control.take(root)
    assert theirs is not None
    levers.set_ksm("here", "on", pages_to_scan=700, sleep_ms=30, actor=None)
    lever_work.work("here")
    outcome = asked(host, Lever.KSM)
    assert outcome["state"] == "failed"
    assert "Another fleet on this machine" in outcome["problem"]
    assert ksm(root, "pages_to_scan") == "100"
    assert merger.choice.mode == "leave"
    theirs.release()


@pytest.mark.usefixtures("merger")
@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda: levers.set_swappiness("here", 201, actor=None), BadRequest, "from 0 to 200"),
        (lambda: levers.set_ksm("here", "on", actor=None), BadRequest, "pages_to_scan is"),
        (lambda: levers.set_ksm("here", "faster", actor=None), BadRequest, "auto, on, off or"),
        (lambda: levers.set_zram("here", "much", actor=None), BadRequest, "is no size"),
        (lambda: levers.set_zram("here", "25G", actor=None), BadRequest, "at most as much as"),
        (lambda: levers.set_zram("here", "1G", algorithm="gzip", actor=None), BadRequest,
         "compresses with lzo-rle, lzo, lz4"),
        (lambda: levers.set_zram("here", "off", actor=None), Conflict, "no swap in memory"),
        (lambda: levers.set_swappiness("nowhere", 60, actor=None), NotFound, "no host nowhere"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_at_once(
    host: Host, ask: Any, error: type[FleetError], says: str
) -> None:
    lever_work.say("here")
    with pytest.raises(error, match=says):
        ask()
    host.refresh_from_db()
    assert host.levers == {}


def test_what_cannot_be_changed_here_says_why_and_a_silent_worker_too(
    host: Host, root: Path
) -> None:
    (root / "proc/meminfo").write_text(
        "MemTotal: 9000000 kB\nMemAvailable: 9000000 kB\nSwapTotal: 9 kB\nSwapFree: 9 kB\n"
    )
    lever_work.say("here")
    with pytest.raises(Conflict, match="zram cannot be changed on here: This machine has swap"):
        levers.set_zram("here", "1G", actor=None)
    bus.client().delete(bus.levers_key("here"))
    assert all("has said nothing" in view.refused for view in levers.all_of(host))
    with pytest.raises(Unavailable, match="run bin/up"):
        levers.set_swappiness("here", 60, actor=None)


def test_a_caveat_is_put_away_by_each_person_for_himself(anna: User) -> None:
    ben = User.objects.create_user("ben")
    seen.note_seen(anna, seen.KSM_SIDE_CHANNEL)
    seen.note_seen(anna, seen.KSM_SIDE_CHANNEL)
    assert seen.has_seen(anna, seen.KSM_SIDE_CHANNEL)
    assert not seen.has_seen(ben, seen.KSM_SIDE_CHANNEL)
