"""What becomes of a template, and of what was begun for one, when nobody uses it."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devices.errors import Unavailable
from devices.models import Host
from devices.qemu.template import Template
from devices.services import (
    bus,
    capacity,
    guests,
    template_keeper,
    template_room,
    templates,
)
from devices.services.template_keeper import Keeper
from tests.rows import a_device, a_firmware, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "folder")]


@pytest.fixture
def unused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """The keeper of a template with a zygote, of an architecture without a device here."""
    a_host("here")
    keeper = templates.keepers["x64"]
    folder = keeper.folder / "key"
    folder.mkdir()
    zygote: Any = SimpleNamespace(is_alive=lambda: True, close=lambda: None)
    keeper.ready = Template("key", folder, -1, 0, folder / "state", zygote)
    keeper.say("here", "ready", "Clones are forked.")
    monkeypatch.setattr(template_room, "free_mib", lambda: 1 << 20)
    return keeper


def prepared(keeper: Keeper) -> bool:
    """Whether there is a template after a round."""
    templates.prepare("here")
    if keeper._thread is not None:
        keeper._thread.join(60)
    return keeper.ready is not None


def test_a_template_nobody_uses_is_let_go_after_a_while_but_for_its_files(unused: Keeper) -> None:
    template = unused.ready
    assert template is not None
    assert prepared(unused)
    assert unused.unused_since is not None
    unused.unused_since -= template_keeper.KEEP_UNUSED_S
    assert not prepared(unused)
    assert template.zygote is None
    assert template.folder.is_dir()


@pytest.fixture
def at_rest(unused: Keeper, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """The keeper of a template that was let go and lies on disk."""
    a_firmware(architecture="x64")
    monkeypatch.setattr(templates, "template_launch", lambda *_: SimpleNamespace())
    monkeypatch.setattr(templates, "template_key", lambda *_: "key")
    unused.unused_since = float("-inf")
    assert not prepared(unused)
    return unused


@pytest.mark.parametrize("lost", ["nothing", "the word", "the worker"])
def test_additions_count_on_a_template_that_lies_on_disk(at_rest: Keeper, lost: str) -> None:
    if lost == "the word":
        bus.client().flushall()
    elif lost == "the worker":
        bus.keep_template_status("here", {"state": "failed", "sentence": "", "at": 0.0}, "x64")
    assert not prepared(at_rest)
    said = bus.template_status("here", "x64")
    assert said is not None
    assert said["sentence"] == templates.AT_REST
    assert capacity.usual_kind("here", "x64") == "warm"
    assert at_rest._thread is None or not at_rest._thread.is_alive()


def test_what_is_said_of_a_template_on_disk_is_said_once(
    at_rest: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(bus, "publish_changes")
    assert not prepared(at_rest)


@pytest.mark.parametrize("lacks", ["its files", "its firmware", "its accelerator"])
def test_additions_do_not_count_on_a_template_that_cannot_be_loaded(
    at_rest: Keeper, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    def unavailable(*_: object) -> None:
        raise Unavailable("No accelerator is proven.")

    match lacks:
        case "its files":
            (at_rest.folder / "key").rmdir()
        case "its firmware":
            monkeypatch.setattr(templates, "template_key", lambda *_: "another")
        case "its accelerator":
            monkeypatch.setattr(templates, "template_launch", unavailable)
    assert not prepared(at_rest)
    assert bus.template_status("here", "x64") is None
    assert capacity.usual_kind("here", "x64") == "cold"


def test_a_template_that_is_used_again_is_kept(unused: Keeper) -> None:
    assert prepared(unused)
    assert unused.current("here", None, "key") is unused.ready  # type: ignore[arg-type]
    assert unused.unused_since is None


def test_a_template_is_kept_for_what_is_added_to_devices_that_started_cold(
    unused: Keeper,
) -> None:
    """As those did that came while it was made."""
    host = Host.objects.get()
    a_device(host, start="cold", firmware=a_firmware(architecture="x64"))
    unused.unused_since = float("-inf")
    assert prepared(unused)
    assert unused.unused_since is None


def test_a_template_nobody_uses_is_let_go_at_once_when_memory_runs_short(
    unused: Keeper, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_room, "free_mib", lambda: settings.MEMORY_RESERVE_MIB + 100)
    assert not prepared(unused)


def test_a_template_in_the_making_is_not_let_go(unused: Keeper) -> None:
    goes_on = threading.Event()
    unused._thread = threading.Thread(target=goes_on.wait)
    unused._thread.start()
    unused.unused_since = float("-inf")
    templates.prepare("here")
    assert unused.ready is not None
    goes_on.set()
    assert not prepared(unused)


@pytest.mark.parametrize("left_behind", ["x64"], indirect=True)
@pytest.mark.parametrize("cold_devices", [0, 1])
def test_what_a_killed_worker_left_is_ended_though_nobody_wants_a_template(
    left_behind: list[subprocess.Popen[bytes]], cold_devices: int
) -> None:
    """Nor is there one: its last word was the former worker's."""
    host = a_host("here")
    for _ in range(cold_devices):
        a_device(host, start="cold", firmware=a_firmware(architecture="x64"))
    bus.keep_template_status("here", {"state": "ready", "sentence": "", "at": 0.0}, "x64")
    assert not prepared(templates.keepers["x64"])
    assert [process.poll() for process in left_behind] == [-15, -15]
    assert list(guests.guests_folder().iterdir()) == []
    assert bus.template_status("here", "x64") is None
