from __future__ import annotations

import pytest

from devices.errors import BadRequest, Conflict, DoesNotFit, Unavailable
from devices.models import Device, Host
from devices.services import (
    bus,
    capacity,
    costs,
    launching,
    operations,
    retrying,
    starting,
    templates,
    transitions,
)
from devices.services.costs import MIB
from devices.states import State
from tests.rows import a_cost, a_device, a_firmware, a_host, a_sample, a_settled_device

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

BOTH = {"arm64": {"accelerator": "tcg"}, "x64": {"accelerator": "kvm"}}


@pytest.fixture
def host() -> Host:
    """A host that runs both, with a firmware for each."""
    a_firmware()
    a_firmware(architecture="x64")
    bus.publish_host_sample("here", a_sample())
    return a_host("here", accelerators=BOTH)


def added(operation_id: int) -> list[tuple[str, str]]:
    found = Device.objects.filter(targets__operation=operation_id)
    return list(found.values_list("host__name", "firmware__architecture"))


def test_a_device_is_arm64_unless_x64_is_asked_for(host: Host) -> None:
    a_firmware(architecture="x64")  # the newest of all
    assert added(operations.request_add(count=1, actor=None).id) == [("here", "arm64")]
    operation = operations.request_add(count=1, actor=None, architecture="x64")
    assert added(operation.id) == [("here", "x64")]
    assert operation.parameters["architecture"] == "x64"
    with pytest.raises(BadRequest, match="A device is arm64 or x64, not 'amd64'"):
        operations.request_add(count=1, actor=None, architecture="amd64")


def test_an_addition_is_tried_again_and_known_again_by_its_architecture(host: Host) -> None:
    operation = operations.request_add(
        count=1, actor=None, architecture="x64", idempotency_key="once"
    )
    transitions.move(
        [operation.targets.get().device_id], old=State.REQUESTED, new=State.FAILED, reason="no disk"
    )
    assert added(retrying.retry(operation.id, None).id) == [("here", "x64")]
    with pytest.raises(Conflict, match="was used for"):
        operations.request_add(count=1, actor=None, idempotency_key="once")


def test_devices_go_to_hosts_on_which_such_a_guest_has_booted(host: Host) -> None:
    a_host("arm64-only")
    a_host("x64-only", accelerators={"arm64": {"accelerator": None}, "x64": BOTH["x64"]})
    for name in ("arm64-only", "x64-only"):
        bus.publish_host_sample(name, a_sample())
    for architecture, names in (("arm64", {"here", "arm64-only"}), ("x64", {"here", "x64-only"})):
        operation = operations.request_add(count=20, actor=None, architecture=architecture)
        assert {name for name, _ in added(operation.id)} == names


def test_what_cannot_be_run_or_was_not_built_is_refused_with_what_to_do() -> None:
    a_host("here")
    a_firmware()
    bus.publish_host_sample("here", a_sample())
    with pytest.raises(Unavailable, match=r"&& FLEETDASH_ARCHITECTURES=arm64,x64 bin/up"):
        operations.request_add(count=1, actor=None, architecture="x64")
    a_firmware(architecture="x64")
    with pytest.raises(Unavailable, match=r"No host can run x64 devices: .*/hosts/.*/, says why"):
        operations.request_add(count=1, actor=None, architecture="x64")
    assert not Device.objects.exists()


def test_what_a_device_costs_is_known_for_each_architecture(host: Host) -> None:
    arm64, x64 = Device.objects, "x64"
    firmware = {f.architecture: f for f in (a_firmware(), a_firmware(architecture=x64))}
    guests = {}
    for architecture, mib in (("arm64", 10), (x64, 30)):
        costs.clones_are("here", f"{architecture}-template", "woken", architecture=architecture)
        for _ in range(5):
            device = a_settled_device(host, start="warm", firmware=firmware[architecture])
            guests[device.serial] = a_cost(mib)
    costs.learn("here", guests, {a: f"{a}-template" for a in ("arm64", x64)})
    host.refresh_from_db()
    assert arm64.count() == 10
    for known in ("measured", "remembered"):
        assert costs.cost(host, "warm").settled_bytes == 12 * MIB
        assert costs.cost(host, "warm", x64).settled_bytes == 36 * MIB
        assert costs.cost(host, "warm", x64).source == known
        bus.client().flushall()
    assert costs.cost(host, "cold", x64).source == "assumed"


def test_those_starting_are_promised_what_their_own_sort_costs(
    host: Host, settings: pytest.FixtureRequest
) -> None:
    settings.MEMORY_RESERVE_MIB = 1000  # type: ignore[attr-defined]
    settings.CLONE_COST_MIB, settings.DEVICE_COST_MIB = 40, 190  # type: ignore[attr-defined]
    bus.publish_host_sample("here", a_sample(available_mib=1000 + 1900))
    bus.keep_template_status("here", {"state": "ready"})
    assert capacity.fleet_capacity().fits == 1900 // 40
    # there is no x64 template yet, so such a device starts cold
    assert capacity.fleet_capacity("warm", "x64").fits == 10
    x64 = a_firmware(architecture="x64")
    a_device(host, state=State.REQUESTED, start="warm", firmware=x64)
    assert capacity.fleet_capacity().fits == (1900 - 190) // 40
    with pytest.raises(DoesNotFit, match="10 more devices do not fit: 9 more fit now"):
        operations.request_add(count=10, actor=None, architecture="x64")


def test_a_round_launches_devices_of_one_architecture(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[list[str]] = []

    def start_all(devices: list[Device], *_: object) -> dict[str, Exception]:
        rounds.append([device.firmware.architecture for device in devices])
        return {device.serial: OSError("enough") for device in devices}

    monkeypatch.setattr(starting, "start_all", start_all)
    monkeypatch.setattr(templates, "current", lambda host, firmware: None)
    firmware = [a_firmware(), a_firmware(architecture="x64")]
    for number in (0, 0, 1):
        a_device(host, state=State.REQUESTED, start="cold", firmware=firmware[number])
    launching.launch("here")
    assert rounds == [["arm64", "arm64"], ["x64"]]
