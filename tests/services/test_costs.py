from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Host
from devices.services import bus, capacity, costs, room
from devices.services.costs import MIB, Cost
from devices.states import State
from tests.rows import a_cost, a_device, a_firmware, a_host, a_sample, a_settled_device

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

KEY = "template-1"


@pytest.fixture(autouse=True)
def known(settings: Any) -> None:
    settings.MEMORY_RESERVE_MIB = 1000
    settings.CLONE_COST_MIB, settings.DEVICE_COST_MIB = 40, 190
    a_firmware()


def measured(host: Host, *, settled: int = 0, young: int = 0, **values: Any) -> None:
    """So many devices of ten and of twenty MiB, settled and young, are measured."""
    rows = [a_settled_device(host, start="warm", **values) for _ in range(settled + young)]
    guests = {
        d.serial: a_cost(10, age_s=90.0)
        if n < settled
        else a_cost(20, age_s=20.0)
        for n, d in enumerate(rows)
    }
    host.refresh_from_db()
    if "clones" not in host.costs:
        costs.clones_are(host.name, KEY, "woken")
    costs.learn(host.name, guests, {"arm64": KEY})


def of(host: Host, kind: str = "warm") -> Cost:
    host.refresh_from_db()
    return costs.cost(host, kind)


def test_what_is_assumed_holds_until_enough_are_measured() -> None:
    host = a_host("here")
    measured(host, settled=4)
    assert of(host) == Cost(settled_bytes=40 * MIB, young_bytes=40 * MIB, source="assumed")


def test_the_mean_of_settled_devices_counts_with_a_margin_and_below_the_setting_too() -> None:
    host = a_host("here")
    measured(host, settled=6, young=5)
    cost = of(host)
    assert (cost.source, cost.measured) == ("measured", 6)
    assert cost.settled_bytes == 12 * MIB
    assert cost.young_bytes == 20 * MIB
    assert cost.settling_bytes == 5 * 10 * MIB


def test_a_device_that_has_just_begun_says_nothing_yet() -> None:
    host = a_host("here")
    device = a_settled_device(host, start="warm")
    costs.learn("here", {device.serial: a_cost(1, age_s=1.0)}, {"arm64": KEY})
    assert bus.costs("here") == {}


def test_a_clone_that_was_rebooted_counts_as_cold() -> None:
    host = a_host("here")
    measured(host, settled=5, reported_start="cold")
    assert of(host).source == "assumed"
    assert of(host, "cold").settled_bytes == 12 * MIB


def learn(mib: int, devices: list[Device], **measured: float) -> dict[str, Any]:
    """So many MiB are measured of these devices; what is known of all then."""
    cost = a_cost(mib, **measured)
    costs.learn("here", {d.serial: cost for d in devices}, {"arm64": KEY})
    return bus.costs("here")


@pytest.mark.parametrize("state", [State.REBOOTING, State.OFFLINE, State.POWERING_OFF])
def test_clones_on_their_way_through_a_reboot_say_nothing_of_clones(state: State) -> None:
    host = a_host("here")
    measured(host, settled=5)
    clones = [
        a_settled_device(host, state=state, start="warm", reported_start="warm") for _ in range(9)
    ]
    assert learn(145, clones, age_s=3600.0) == {}
    assert of(host).settled_bytes == 12 * MIB


def test_a_device_is_young_again_after_a_reboot() -> None:
    host = a_host("here")
    since = timezone.now() - timedelta(seconds=20)
    devices = [a_device(host, state_since=since, reported_start="cold") for _ in range(5)]
    assert learn(131, devices, age_s=3600.0) == {"cold": {"young": [5, 131 << 10]}}
    # before it reported it was another
    assert learn(145, devices, age_s=3600.0, ago_s=30.0) == {}
    since -= timedelta(seconds=60)
    Device.objects.update(state_since=since)
    assert learn(95, devices, age_s=3660.0) == {"cold": {"settled": [5, 95 << 10]}}


def test_one_that_boots_for_long_is_not_settled() -> None:
    host = a_host("here")
    device = a_settled_device(host, state=State.BOOTING)
    assert learn(60, [device], age_s=90.0) == {}
    assert learn(60, [device], age_s=20.0) == {"cold": {"young": [1, 60 << 10]}}


def test_what_was_measured_young_says_nothing_once_the_device_is_old() -> None:
    host = a_host("here")
    measured(host, settled=5)
    devices = [a_settled_device(host, start="warm") for _ in range(10)]
    learn(4, devices, age_s=20.0, ago_s=10.0)
    assert of(host).settling_bytes == -10 * 6 * MIB
    learn(4, devices, age_s=20.0, ago_s=50.0)
    assert (of(host).settling_bytes, costs.settling(host)) == (0, (0, 0))


def test_what_was_measured_is_remembered_for_the_same_template_only() -> None:
    host = a_host("here")
    measured(host, settled=5)
    bus.client().flushall()
    cost = of(host)
    assert (cost.source, cost.settled_bytes) == ("remembered", 12 * MIB)
    costs.clones_are("here", KEY, "woken")
    assert of(host).source == "remembered"
    costs.clones_are("here", "template-2", "woken")
    assert of(host).source == "assumed"


def test_forked_clones_and_woken_ones_are_remembered_apart() -> None:
    host = a_host("here")
    costs.clones_are("here", KEY, "forked", 5 << 10)
    measured(host, settled=5, forked=True)
    bus.client().flushall()
    costs.clones_are("here", KEY, "woken", 40 << 10)
    assert (of(host).source, of(host).settled_bytes) == ("first clone", 48 * MIB)
    costs.clones_are("here", KEY, "forked")
    assert (of(host).source, of(host).settled_bytes) == ("remembered", 12 * MIB)


def test_a_cold_devices_cost_is_remembered_for_the_same_firmware_only() -> None:
    host = a_host("here")
    measured(host, settled=5, reported_start="cold")
    bus.client().flushall()
    assert of(host, "cold").source == "remembered"
    a_firmware()
    assert of(host, "cold").source == "assumed"


def test_the_templates_first_clone_says_what_one_costs_before_any_is_measured() -> None:
    host = a_host("here")
    costs.clones_are("here", KEY, "woken", 12 << 10, settled=False)
    assert of(host).source == "assumed"
    costs.clones_are("here", KEY, "forked", 5 << 10)
    cost = of(host)
    assert (cost.source, cost.settled_bytes // MIB) == ("first clone", 12)
    costs.clones_are("here", KEY, "woken")
    assert of(host).settled_bytes // MIB == 14
    measured(host, settled=5)
    assert of(host).source == "measured"


def test_while_forking_is_tried_what_was_known_of_it_holds() -> None:
    host = a_host("here")
    costs.clones_are("here", KEY, "forked", 5 << 10)
    costs.clones_are("here", KEY, "woken", 40 << 10, settled=False)
    assert of(host).settled_bytes == 12 * MIB


def test_a_figure_that_hardly_moves_is_not_written_again() -> None:
    host = a_host("here")
    measured(host, settled=5)
    before = Host.objects.get().costs
    assert before["woken"]["settled_kib"] == 10 << 10
    measured(host, settled=5)
    assert Host.objects.get().costs == before


def warm_host(*, ksm_run: int | None = None, **sample: Any) -> Host:
    bus.keep_template_status("here", {"state": "ready"})
    ksm = None if ksm_run is None else {"run": ksm_run}
    bus.publish_host_sample("here", a_sample(**sample) | {"ksm": ksm})
    return a_host("here")


def test_how_many_fit_follows_what_was_measured() -> None:
    host = warm_host(available_mib=1000 + 1200)
    assert capacity.fleet_capacity().fits == 30
    measured(host, settled=5)
    fleet = capacity.fleet_capacity()
    assert (fleet.fits, fleet.devices, fleet.most) == (100, 5, 105)
    assert fleet.cost_source == "measured on 5"


def test_those_on_their_way_are_promised_their_settled_cost() -> None:
    host = warm_host(available_mib=1000 + 1200)
    measured(host, settled=5)
    for state in (State.REQUESTED, State.SPAWNING, State.BOOTING):
        a_device(host, start="warm", state=state)
    assert capacity.fleet_capacity().fits == 97


def test_what_young_devices_will_give_back_counts_where_memory_is_being_merged() -> None:
    host = warm_host(available_mib=1000 + 1200)
    measured(host, settled=5, young=11)
    assert capacity.fleet_capacity().fits == 100
    ksm = {"run": 1}
    bus.publish_host_sample("here", a_sample(available_mib=1000 + 1200) | {"ksm": ksm})
    assert capacity.fleet_capacity().fits == 109


def test_the_kernels_own_limits_hold_where_memory_would_not() -> None:
    host = warm_host(available_mib=100_000)
    measured(host, settled=5)
    sample = a_sample(available_mib=100_000) | {
        "limits": {"tasks_left": 1024 + 5 * 30, "open_files": 20_000}
    }
    bus.publish_host_sample("here", sample)
    fleet = capacity.fleet_capacity()
    assert (fleet.fits, "kernel.pid_max" in fleet.waiting) == (30, True)


def test_what_young_devices_have_yet_to_take_is_not_free(settings: Any) -> None:
    host = warm_host(available_mib=1000 + 1200)
    measured(host, settled=5)
    rows = [a_settled_device(host, start="warm") for _ in range(60)]
    young = {d.serial: a_cost(4, age_s=5.0) for d in rows}
    settled = {
        d.serial: a_cost(10, age_s=90.0)
        for d in Device.objects.exclude(serial__in=young)
    }
    costs.learn("here", {**settled, **young}, {"arm64": KEY})
    assert of(host).settling_bytes == -60 * 6 * MIB
    assert capacity.fleet_capacity().fits == (1200 - 360) // 12
    assert room.room(host, "warm", 2.0) == 4
    bus.publish_host_sample("here", a_sample(available_mib=1000 + 360))
    assert room.room(host, "warm", 2.0) == 0


def test_what_other_sorts_have_yet_to_take_is_not_free_either() -> None:
    host = warm_host(available_mib=1000 + 1200, ksm_run=1)
    measured(host, settled=5, young=11)
    x64 = a_firmware(architecture="x64")
    costs.clones_are("here", KEY, "woken", architecture="x64")
    rows = [a_settled_device(host, start="warm", firmware=x64) for _ in range(65)]
    ages = {
        d.serial: a_cost(10, age_s=90.0)
        if n < 5
        else a_cost(4, age_s=5.0)
        for n, d in enumerate(rows)
    }
    arm64 = Device.objects.exclude(serial__in=ages).order_by("id")
    ages |= {
        d.serial: a_cost(10, age_s=90.0)
        if n < 5
        else a_cost(20, age_s=20.0)
        for n, d in enumerate(arm64)
    }
    costs.learn("here", ages, {"arm64": KEY, "x64": KEY})
    host.refresh_from_db()
    assert costs.settling(host) == (-60 * 6 * MIB, 11 * 10 * MIB)
    # what young arm64 devices give back is counted, and what young x64 ones take first
    assert capacity.fleet_capacity("warm").fits == (1200 - 360 + 110) // 12
    bus.publish_host_sample("here", a_sample(available_mib=1000 + 360))
    assert capacity.fleet_capacity("warm").fits == 0
    for kind, architecture in (("warm", "arm64"), ("cold", "arm64"), ("warm", "x64")):
        assert room.room(host, kind, 2.0, architecture=architecture) == 0
    assert room.reboots(host, "warm", "arm64")[1] == 0


def test_where_clones_cannot_be_had_devices_cost_what_cold_ones_do() -> None:
    host = warm_host(available_mib=1000 + 1900)
    measured(host, settled=5)
    bus.keep_template_status("here", {"state": "failed"})
    assert capacity.fleet_capacity().fits == 10


def test_clones_that_woke_say_nothing_of_forked_ones() -> None:
    host = a_host("here")
    costs.clones_are("here", KEY, "forked", 8 << 10)
    measured(host, settled=6)
    assert of(host).source == "first clone"
    measured(host, settled=6, forked=True)
    assert (of(host).source, of(host).measured) == ("measured", 6)
