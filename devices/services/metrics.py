"""The fleet as Prometheus sees it: few series, however many devices there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from devices.models import Device, Firmware, Host, Operation, Target
from devices.services import capacity, traffic, usage
from devices.services.host_metrics import host_metrics
from devices.states import State

RATE_S = 60


def rendered(accept: str = "") -> tuple[bytes, str]:
    """All metrics as text, and its content type, in the format that `accept` prefers."""
    registry = CollectorRegistry()
    registry.register(FleetCollector())
    encode, content_type = exposition.choose_encoder(accept)
    return encode(registry), content_type


class FleetCollector(Collector):
    """Reads database and Redis anew at each scrape; keeps nothing."""

    def describe(self) -> list[Metric]:
        """Nothing: what there is depends on what hosts measure."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric there is now."""
        began = time.perf_counter()
        for part in PARTS:
            yield from part()
        yield _gauge(
            "fleetdash_scrape_seconds", "What it took to gather these metrics.",
            time.perf_counter() - began,
        )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _devices() -> Iterator[Metric]:
    devices = GaugeMetricFamily(
        "fleetdash_devices", "Devices by host and state; online ones reported in themselves.",
        labels=["host", "state"],
    )
    found: dict[tuple[str, str], int] = {}
    names = dict(Host.objects.order_by("id").values_list("id", "name"))
    for name in names.values():
        found.update(dict.fromkeys(((name, str(s)) for s in State if s is not State.GONE), 0))
    there = Device.objects.order_by().exclude(state=State.GONE)
    for row in there.values("host_id", "state").annotate(n=Count("id")):
        found[names[row["host_id"]], row["state"]] = row["n"]
    for labels, count in found.items():
        devices.add_metric(labels, count)
    yield devices
    since = timezone.now() - timedelta(seconds=RATE_S)
    yield _gauge(
        "fleetdash_launches_per_second",
        "Devices that came online after a start, a second, over the last minute.",
        Device.objects.filter(online_at__gte=since).count() / RATE_S,
    )


def _room() -> Iterator[Metric]:
    fleet = capacity.fleet_capacity()
    yield _gauge("fleetdash_devices_fit", "Devices that fit beside those there are.", fleet.fits)
    yield _gauge(
        "fleetdash_device_cost_bytes", "Memory that one more device takes once it has settled.",
        fleet.device_cost_bytes,
    )


def _operations() -> Iterator[Metric]:
    operations = GaugeMetricFamily(
        "fleetdash_operations", "Operations that are kept, by kind and state.",
        labels=["kind", "state"],
    )
    rows = Operation.objects.order_by().values("kind", "state").annotate(n=Count("id"))
    counts = {(row["kind"], row["state"]): row["n"] for row in rows}
    for kind in Operation.Kind.values:
        for state in Operation.State.values:
            operations.add_metric([kind, state], counts.get((kind, state), 0))
    yield operations
    pending = GaugeMetricFamily(
        "fleetdash_operation_devices_pending",
        "Devices for which something was asked that has not come about yet, by kind.",
        labels=["kind"],
    )
    waiting = Target.objects.filter(outcome=Target.Outcome.PENDING).order_by()
    by_kind = {
        row["operation__kind"]: row["n"]
        for row in waiting.values("operation__kind").annotate(n=Count("id"))
    }
    for kind in Operation.Kind.values:
        pending.add_metric([kind], by_kind.get(kind, 0))
    yield pending


def _firmware() -> Iterator[Metric]:
    firmware = GaugeMetricFamily(
        "fleetdash_firmware_info", "1 for the newest firmware of each architecture.",
        labels=["architecture", "version"],
    )
    newest: dict[str, str] = {}
    for architecture, version in Firmware.objects.values_list("architecture", "version"):
        newest.setdefault(architecture, version)
    for labels in newest.items():
        firmware.add_metric(labels, 1)
    yield firmware


def _gateway() -> Iterator[Metric]:
    counted = traffic.read()
    if counted is None:
        return
    for name, text, value in (
        ("reports", "Reports that devices sent over HTTP.", counted.reports),
        ("messages", "Messages that devices sent over their sockets.", counted.messages),
        ("received_bytes", "Bytes of what devices said.", counted.received_bytes),
        ("sent_bytes", "Bytes of what devices were told.", counted.sent_bytes),
    ):
        yield CounterMetricFamily(f"fleetdash_gateway_{name}", text, value=value)


def _redis() -> Iterator[Metric]:
    memory = usage.redis_memory()
    yield _gauge("fleetdash_redis_up", "1 when Redis answers.", float(memory is not None))
    if memory is not None:
        yield _gauge("fleetdash_redis_memory_bytes", "Memory that Redis has in use.", memory)


def _hosts() -> Iterator[Metric]:
    yield from host_metrics(list(Host.objects.order_by("id")))


PARTS: tuple[Callable[[], Iterator[Metric]], ...] = (
    _devices, _room, _operations, _firmware, _gateway, _redis, _hosts,
)
