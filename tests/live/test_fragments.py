from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.live import fragments, panels
from devices.models import Operation, Target
from devices.services import bus
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "host_sample", lambda name: None)
    monkeypatch.setattr(bus, "pss", lambda name: {})


def _sample(**values: Any) -> dict[str, Any]:
    sample = a_sample() | values
    sample["cpu"] |= {"online": 2}
    return sample


def _render(*parts: str, **samples: Any) -> dict[str, fragments.Fragment]:
    rendered = fragments.render(frozenset(parts), samples, 0.5)
    return {fragment.name: fragment for fragment in rendered.fragments}


def test_every_fragment_is_made_of_elements_the_page_can_find() -> None:
    a_device(a_host("here"))
    made = _render(*fragments.PARTS, here=_sample())
    for fragment in made.values():
        for element in re.findall(r"^<\w+[^>]*>", fragment.html.strip()):
            assert " id=" in element


def test_only_what_was_asked_for_is_rendered() -> None:
    assert set(_render(fragments.COUNTS)) == {fragments.COUNTS}


def test_a_moving_bar_leaves_the_button_where_it_is() -> None:
    host = a_host("here")
    operation = Operation.objects.create(kind="add", count=2, created_at=timezone.now())
    devices = [a_device(host, state=State.BOOTING) for _ in range(2)]
    for device in devices:
        Target.objects.create(operation=operation, device=device)
    before = _render(fragments.OPERATIONS)
    assert "Cancel" in before[fragments.OPERATIONS].html
    Target.objects.filter(device=devices[0]).update(outcome="done", ended_at=timezone.now())
    after = _render(fragments.OPERATIONS)
    assert before[fragments.OPERATIONS].key == after[fragments.OPERATIONS].key
    assert before[fragments.PROGRESS].html != after[fragments.PROGRESS].html
    assert 'max="2" value="1"' in after[fragments.PROGRESS].html
    Operation.objects.update(cancel_requested_at=timezone.now())
    cancelling = _render(fragments.OPERATIONS)[fragments.OPERATIONS]
    assert cancelling.key != after[fragments.OPERATIONS].key
    assert "cancelling" in cancelling.html and "cancel-" not in cancelling.html


def test_the_renderer_says_whether_something_runs() -> None:
    parts = frozenset({fragments.OPERATIONS})
    assert fragments.render(parts, {}, 0.0).operation_running is False
    Operation.objects.create(kind="add", count=1, created_at=timezone.now())
    assert fragments.render(parts, {}, 0.0).operation_running is True
    assert fragments.render(frozenset({fragments.COUNTS}), {}, 0.0).operation_running is None


def test_gone_devices_are_not_counted() -> None:
    host = a_host("here")
    a_device(host)
    a_device(host, state=State.GONE, slot=None)
    counted = panels.counts()
    assert (counted["online"], counted["total"]) == (1, 1)


def test_the_bar_is_shared_out_whole() -> None:
    host = a_host("here")
    for state in (State.ONLINE, State.BOOTING, State.BOOTING):
        a_device(host, state=state)
    bar = panels.counts()["bar"]
    assert sum(float(piece["width"]) for piece in bar) == pytest.approx(1000, abs=0.2)


def test_pressure_where_there_is_any() -> None:
    a_host("here")
    psi = {"cpu_some": 12.4, "memory_some": 0.0, "memory_full": 0.0, "io_some": 3.0, "io_full": 0.0}
    html = _render(fragments.HOSTS, here=_sample(psi=psi))[fragments.HOSTS].html
    assert "12 <small>% CPU" in html


def test_a_silent_host_is_said_to_be_silent() -> None:
    for name in ("here", "there", "elsewhere"):
        a_host(name)
    html = fragments.render(
        frozenset({fragments.HOSTS}),
        {"here": None, "elsewhere": _sample(), "forgotten": _sample()}, 0.5
    ).fragments[0].html
    assert "forgotten" not in html
    for name in ("here", "there", "elsewhere"):
        assert html.count(f"<small>{name}</small>") == 5
    assert html.count("no sample") == 10


def test_the_wall_starts_with_every_place_taken() -> None:
    host = a_host("here")
    a_device(host, slot=3, state=State.OFFLINE)
    a_device(host, slot=None, state=State.GONE)
    assert fragments.slot_states() == {3: "offline"}


def test_memory_is_stacked_whole_and_what_merging_saves_lies_beyond() -> None:
    gib = 1 << 30
    memory = {"total_bytes": 16 * gib, "available_bytes": 6 * gib,
              "swap_total_bytes": 0, "swap_free_bytes": 0}
    sample = _sample(memory=memory, ksm={"saved_bytes": 4 * gib},
                     zram=[{"used_bytes": 1 * gib}])
    stack = {part["name"]: part for part in panels._memory(sample, 7 * gib)["stack"]}
    assert {name: part["text"] for name, part in stack.items()} == {
        "guests": "7.0 GiB", "rest": "2.0 GiB", "zram": "1.0 GiB", "free": "6.0 GiB",
        "saved": "4.0 GiB",
    }
    assert float(stack["saved"]["x"]) == pytest.approx(80, abs=0.1)
    assert sum(float(part["width"]) for part in stack.values()) == pytest.approx(100, abs=0.1)
    # guests were measured a while ago and are less than they seemed
    assert panels._memory(sample, 20 * gib)["stack"][1]["text"] == "0 B"


def test_a_wall_shows_operations_without_a_button() -> None:
    operation = Operation.objects.create(kind="add", count=1, created_at=timezone.now())
    Target.objects.create(operation=operation, device=a_device(a_host("here")))
    made = _render(fragments.OPERATIONS, fragments.WATCHED)
    assert made[fragments.OPERATIONS].html.count("hx-post") == 2  # cancel, undo
    watched = made[fragments.WATCHED].html
    assert 'id="operations"' in watched and "Add 1 device" in watched
    assert "hx-post" not in watched and "<button" not in watched


def test_a_panel_that_fails_leaves_the_others_alone_and_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a_device(a_host("here"))
    drawn = panels.capacity

    def broken() -> dict[str, Any]:
        raise ZeroDivisionError("no cores")

    monkeypatch.setattr(panels, "capacity", broken)
    for _ in range(3):
        rendered = fragments.render(fragments.PARTS, {"here": _sample()}, 0.5)
        names = {fragment.name for fragment in rendered.fragments}
        assert names == {
            fragments.COUNTS, fragments.HOSTS, fragments.NOTICES, fragments.PROGRESS,
            fragments.OPERATIONS, fragments.WATCHED, fragments.LOG,
        }
        assert rendered.failed == {fragments.CAPACITY}
        assert rendered.operation_running is False
    assert [r.message for r in caplog.records].count(
        "The page's capacity could not be rendered; trying again"
    ) == 1
    assert "no cores" in caplog.text
    monkeypatch.setattr(panels, "capacity", drawn)
    assert fragments.render(fragments.PARTS, {"here": _sample()}, 0.5).failed == frozenset()
    assert not fragments._failing


def test_how_many_fit_is_said_of_each_architecture_that_can_be_added(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MEMORY_RESERVE_MIB, settings.CLONE_COST_MIB, settings.DEVICE_COST_MIB = 1000, 10, 100
    host = a_host("here", accelerators={"arm64": {"accelerator": "tcg"}})
    monkeypatch.setattr(bus, "host_sample", lambda name: a_sample(available_mib=2000))
    monkeypatch.setattr(bus, "template_status", lambda *of: {"state": "ready"})
    a_firmware()
    alone = _render(fragments.CAPACITY)[fragments.CAPACITY].html
    assert (alone.count("data-architecture"), "100</b> more fit" in alone) == (1, True)
    a_firmware(architecture="x64")
    cannot = _render(fragments.CAPACITY)[fragments.CAPACITY].html
    assert "100</b> more arm64 fit" in cannot and "No x64 guest has booted on here" in cannot
    host.accelerators |= {"x64": {"accelerator": "kvm"}}
    host.save()
    at = timezone.now()
    operation = Operation.objects.create(
        kind="add", count=1, created_at=at - timedelta(seconds=60), ended_at=at,
        parameters={"start": "warm", "architecture": "x64"},
    )
    for n in range(10):
        Target.objects.create(
            operation=operation, device=a_device(host), outcome="done",
            ended_at=operation.created_at + timedelta(seconds=1 + n),
        )
    monkeypatch.setattr(bus, "template_status", lambda name, of="arm64": (
        {"state": "ready"} if of == "arm64" else None
    ))
    html = _render(fragments.CAPACITY)[fragments.CAPACITY].html
    arm64, x64 = html.split('data-architecture="x64"')
    assert ('data-fits="100"' in arm64, "data-takes" in arm64, " hidden" in arm64) == (
        True, False, False
    )
    # it has no template, so such devices start cold; ten say nothing of a thousand
    assert 'data-fits="10"' in x64 and 'data-takes-100="100.0" hidden' in x64
    assert "data-takes-1000" not in x64


def test_the_log_hears_what_begins_and_what_ends() -> None:
    operation = Operation.objects.create(kind="reboot", count=1, created_at=timezone.now())
    before = _render(fragments.LOG)[fragments.LOG].html
    assert f"{operation.id}:running" in before
    Operation.objects.update(state="failed", ended_at=timezone.now())
    assert f"{operation.id}:failed" in _render(fragments.LOG)[fragments.LOG].html


def test_states_are_said_in_words() -> None:
    assert ">powering off<" in fragments.row_state(7, "powering_off").replace("</svg>", ">")
    html = _render(fragments.COUNTS)[fragments.COUNTS].html
    assert "powering off" in html and ">powering_off" not in html
