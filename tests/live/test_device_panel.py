from __future__ import annotations

import pytest
from django.utils import timezone

from devices.live import device_panel, fragments
from devices.live.device_panel import chart
from devices.models import Event
from devices.services import bus, health, presence
from devices.states import State
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def _tell(serial: str, at: float, **metrics: float) -> None:
    bus.heard_from([serial], at)
    presence.renew([serial], at, {serial: health.report(at, metrics)})


def test_what_a_device_told_last_and_its_course() -> None:
    device = a_device(a_host(), slot=4)
    _tell(device.serial, 1000.0, load_1min=0.5, mem_used_mb=40.0, mem_size_mb=80.0, uptime_s=90.0)
    _tell(device.serial, 1045.0, load_1min=0.25, mem_used_mb=20.0, mem_size_mb=80.0, uptime_s=135.0)
    shown = device_panel.now(device.serial)
    assert (shown["load"], shown["memory_percent"]) == ("0.25", 25)
    assert shown["heard_at"].timestamp() == 1045.0
    assert shown["up_since"].timestamp() == 910.0
    line = shown["load_chart"]
    assert (line["least"], line["most"], line["now"], line["span"]) == (
        "0.25", "0.50", "0.25", "45 s",
    )  # fmt: skip
    html = fragments.render(frozenset({f"device:{device.serial}"}), {}, 0.0).fragments[0].html
    assert 'id="device-now"' in html and "25 % of" in html


@pytest.mark.parametrize(
    "strange",
    [{"uptime_s": 1e12}, {"uptime_s": -1e17}, {"mem_used_mb": 40.0, "mem_size_mb": 1e-320}],
)
def test_a_device_that_tells_nonsense_is_shown_without_it(strange: dict[str, float]) -> None:
    serial = a_device(a_host(), slot=4).serial
    _tell(serial, 1000.0, load_1min=0.5, **strange)
    shown = device_panel.now(serial)
    assert (shown["load"], shown["up_since"], shown["memory_percent"]) == ("0.50", None, None)
    assert not fragments.render(frozenset({f"device:{serial}"}), {}, 0.0).failed


def test_an_unknown_or_silent_device_is_no_fault() -> None:
    serial = a_device(a_host(), state=State.OFF).serial
    for each in (serial, "fd-999999"):
        rendered = fragments.render(frozenset({f"device:{each}"}), {}, 0.0)
        assert not rendered.failed
        assert "has told nothing" in rendered.fragments[0].html


def test_whatever_is_written_about_a_device_is_news() -> None:
    device = a_device(a_host())
    other = a_device(device.host)
    first = device_panel.now(device.serial)["news"]
    Event.objects.create(at=timezone.now(), device=other, text="tagged lab")
    assert device_panel.now(device.serial)["news"] == first
    Event.objects.create(at=timezone.now(), device=device, text="tagged lab")
    assert device_panel.now(device.serial)["news"] != first


def test_a_line_is_broken_where_a_device_was_silent() -> None:
    told = [(0.0, 1.0), (45.0, 2.0), (90.0, None), (1000.0, 3.0), (1045.0, 4.0), (3000.0, 4.0)]
    drawn = chart(told, str)
    assert drawn is not None
    assert [len(line.split()) for line in drawn["lines"]] == [2, 2, 2]
    first, _ = drawn["lines"][0].split()
    last = drawn["lines"][-1].split()[0]
    assert first.startswith("0.0,") and last.startswith("240.0,")
    assert chart([(0.0, 1.0), (45.0, None)], str) is None
