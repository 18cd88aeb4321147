from __future__ import annotations

import gc
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone

from devices.qemu.errors import DidNotWake, GuestSpawnFailed, QemuMissing
from devices.qemu.launch import StartedGuest
from devices.qemu.process_identity import ProcessIdentity
from devices.qemu.template import Template
from devices.qemu.zygote import ZygoteFailed
from devices.services import (
    bus,
    guests,
    template_keeper,
    template_room,
    templates,
    tending,
    zygotes,
)
from devices.services.starting import Outcome
from devices.services.template_keeper import Keeper
from fleetdash.deploy import guests as deployed
from tests.rows import a_firmware, a_host

pytestmark = pytest.mark.usefixtures("redis_server", "folder")


def keeper() -> Keeper:
    return templates.keepers["arm64"]


def a_template(key: str) -> Template:
    kept = keeper().folder / key
    kept.mkdir()
    return Template(key, kept, os.memfd_create(key), 0, kept / "state")


def provide(monkeypatch: pytest.MonkeyPatch, key: str) -> Template:
    template = a_template(key)
    with monkeypatch.context() as patched:
        patched.setattr(template_keeper, "load", lambda folder, key: template)
        patched.setattr(zygotes, "start", no_zygote)
        keeper().provide("here", None, key)  # type: ignore[arg-type]
    return template


def no_zygote(*_: object) -> None:
    raise ZygoteFailed("Clones are not forked but started: it is tried out.")


@pytest.mark.django_db
def test_without_a_zygote_clones_still_wake_and_the_page_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = provide(monkeypatch, "a")
    assert keeper().ready is template
    said = bus.template_status("here")
    assert said is not None
    assert said["state"] == "ready"
    assert "not forked but started: it is tried out" in said["sentence"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "word"), [(OSError(24, "Too many open files"), "open files"), (KeyError("x"), "'x'")]
)
def test_a_rehearsal_that_meets_a_fault_says_so_and_is_not_repeated_at_once(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, word: str
) -> None:
    def start(*_: object) -> None:
        raise fault

    template = provide(monkeypatch, "a")
    keeper().zygote_failed_at = float("-inf")
    monkeypatch.setattr(zygotes, "start", start)
    keeper()._rehearse("here", None, "a")  # type: ignore[arg-type]
    assert keeper().ready is template
    assert keeper().zygote_failed_at > 0
    said = bus.template_status("here")
    assert said is not None
    assert said["state"] == "ready"
    assert word in said["sentence"]


@pytest.mark.django_db
def test_a_template_discarded_in_its_rehearsal_keeps_no_zygote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zygote = SimpleNamespace(is_alive=lambda: True, close=lambda: closed.append(True))
    closed: list[bool] = []

    def start(*_: object) -> object:
        keeper().discard("here", "It went bad.")
        return zygote

    template = provide(monkeypatch, "a")
    monkeypatch.setattr(zygotes, "start", start)
    keeper()._rehearse("here", None, "a")  # type: ignore[arg-type]
    assert (template.zygote, closed) == (None, [True])
    said = bus.template_status("here")
    assert said is not None
    assert said["state"] == "failed"


def is_open(descriptor: int) -> bool:
    return os.path.exists(f"/proc/self/fd/{descriptor}")


def test_what_a_killed_worker_left_is_ended_before_a_template_is_made(
    folder: Path, left_behind: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    def make(*_: object, **__: object) -> Template:
        found.extend(each.name for each in [*folder.iterdir(), *guests.guests_folder().iterdir()])
        raise OSError("enough")

    monkeypatch.setattr(template_keeper, "make", make)
    keeper().provide("here", None, "abc")  # type: ignore[arg-type]
    assert [process.poll() for process in left_behind] == [-15, -15]
    assert found == []


def test_bringing_the_fleet_down_ends_a_template_that_was_being_made(
    folder: Path, left_behind: list[subprocess.Popen[bytes]]
) -> None:
    assert deployed.end_everyone(folder.parent.parent) == []
    assert [process.poll() for process in left_behind] == [-15, -15]


@pytest.mark.django_db
def test_sweeping_leaves_the_guests_of_a_template_to_its_maker(
    left_behind: list[subprocess.Popen[bytes]],
) -> None:
    tending.sweep("here")
    assert [process.poll() for process in left_behind] == [None, None]
    assert guests.folder("template").is_dir()


@pytest.mark.django_db
def test_a_former_template_is_open_as_long_as_somebody_wakes_clones_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_use = provide(monkeypatch, "former")
    descriptor = in_use.memory_fd
    provide(monkeypatch, "newer")
    assert is_open(descriptor)
    del in_use
    gc.collect()
    assert not is_open(descriptor)


def test_what_is_said_of_the_template_outlives_an_emptied_redis(db: None) -> None:
    keeper().say("here", "ready", "Clones wake.")
    bus.client().flushall()
    templates.prepare("here")
    status = bus.template_status("here")
    assert status is not None
    assert status["state"] == "ready"


@pytest.mark.django_db
def test_a_fault_that_has_passed_is_not_said_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    a_host("here")
    a_firmware()

    def current(*_: object) -> Template:
        if faults:
            raise faults.pop()
        return template

    template = a_template("kept")
    faults = [QemuMissing("qemu-system-aarch64", "qemu-system-arm")]
    monkeypatch.setattr(templates, "current", current)
    states = []
    for _ in range(2):
        templates.prepare("here")
        status = bus.template_status("here")
        assert status is not None
        states.append(status["state"])
    template.close()
    assert states == ["failed", "ready"]


def test_a_reason_that_lasts_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for sentence in ("No qemu.", "No qemu.", "No firmware."):
        keeper().say("here", "failed", sentence)
    said = [each.getMessage() for each in caplog.records if each.name == template_keeper.__name__]
    assert said == ["arm64 template: No qemu.", "arm64 template: No firmware."]


def test_an_unforeseen_fault_is_said_and_not_repeated_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*_: object, **__: object) -> Template:
        raise KeyError("status")

    monkeypatch.setattr(template_keeper, "make", make)
    keeper().provide("here", None, "abc")  # type: ignore[arg-type]
    status = bus.template_status("here")
    assert status is not None
    assert status["state"] == "failed"
    assert keeper().failed_at > 0


def test_only_a_template_that_was_there_already_is_distrusted(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    discarded: list[str] = []
    now = timezone.now()
    monkeypatch.setattr(
        templates, "discard", lambda host, architecture, reason: discarded.append(architecture)
    )
    keeper().ready_at = now
    templates.distrust("here", "arm64", now - timedelta(seconds=1))
    assert discarded == []
    templates.distrust("here", "x64", now + timedelta(seconds=1))
    assert discarded == []
    templates.distrust("here", "arm64", now + timedelta(seconds=1))
    assert discarded == ["arm64"]


def test_without_memory_for_a_template_it_is_said_and_devices_start_cold(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_room, "PROCESS_MIB", 1 << 30)
    keeper().provide("here", None, "abc")  # type: ignore[arg-type]
    status = bus.template_status("here")
    assert status is not None
    assert status["state"] == "failed"
    assert status["sentence"].startswith("Devices start cold: A template takes up to 1,073,741,952")
    assert "MiB of memory are free. It is tried again every 5 minutes" in status["sentence"]


@pytest.mark.django_db
def test_a_template_is_bad_when_clones_do_not_wake_and_none_does_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = provide(monkeypatch, "a")
    failed, woke = DidNotWake("bad state."), StartedGuest(ProcessIdentity("", 1, 1), [])
    rounds: list[list[Outcome]] = [
        [failed], [woke, failed, failed], [failed], [GuestSpawnFailed("no file left")],
    ]
    for round_ in rounds:
        templates.clones_became("here", "arm64", template, round_)
        assert keeper().ready is template
    templates.clones_became("here", "arm64", template, [failed])
    assert keeper().ready is None
    assert not template.folder.exists()
    status = bus.template_status("here")
    assert status is not None
    assert status["sentence"] == (
        "2 clones in a row did not wake: bad state. It is made again; devices start cold meanwhile."
    )


@pytest.mark.django_db
def test_clones_of_a_former_template_say_nothing_of_the_one_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former = provide(monkeypatch, "former")
    newer = provide(monkeypatch, "newer")
    templates.clones_became("here", "arm64", former, [DidNotWake("gone"), DidNotWake("gone")])
    assert keeper().ready is newer
