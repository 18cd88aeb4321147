"""What hosts, their guests and our own processes on them measure, as Prometheus sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from devices.models import Host
from devices.services import bus, usage
from devices.services.summary import PROCESSES

# metric, help, and where in a host's sample (devices.host.sample) its value is
_OF_SAMPLE: tuple[tuple[str, str, str], ...] = (
    ("load1", "Tasks that run, or wait uninterruptibly, over one minute.", "load.one"),
    ("tasks", "Processes and threads.", "load.tasks"),
    ("cpu_busy_ratio", "Share of all cores that was busy in the last second.", "cpu.busy"),
    ("cpu_iowait_ratio", "Share of all cores that waited for a disk.", "cpu.iowait"),
    ("cpu_steal_ratio", "Share of all cores that others took.", "cpu.steal"),
    ("run_queue", "Tasks that run or are ready to.", "cpu.run_queue"),
    ("memory_total_bytes", "Memory, within the control group's limit.", "memory.total_bytes"),
    ("memory_available_bytes", "Memory that is to be had without swapping.",
     "memory.available_bytes"),
    ("swap_total_bytes", "Swap.", "memory.swap_total_bytes"),
    ("swap_free_bytes", "Swap that is free.", "memory.swap_free_bytes"),
    ("ksm_profit_bytes", "What merging saves less what it costs; may be negative.",
     "ksm.general_profit_bytes"),
    ("ksm_saved_bytes", "What merging saves, its costs left out.", "ksm.saved_bytes"),
    ("ksm_pages_shared", "Merged pages, each counted once.", "ksm.pages_shared"),
    ("ksm_pages_sharing", "Places that share them.", "ksm.pages_sharing"),
    ("ksm_pages_to_scan", "Pages that ksmd looks at before each pause.", "ksm.pages_to_scan"),
)
_PRESSURES = (("cpu", "some"), ("memory", "some"), ("memory", "full"), ("io", "some"),
              ("io", "full"))
_ZRAM = (("size", "How large it is."), ("original", "What it holds, as it was."),
         ("compressed", "What it holds, compressed."), ("used", "Memory that it takes."))


def host_metrics(hosts: Sequence[Host]) -> Iterator[Metric]:
    """The metrics of these hosts; one that is silent has `fleetdash_host_up` 0 and no others."""
    samples = {host.name: bus.host_sample(host.name) for host in hosts}
    heard = {name: sample for name, sample in samples.items() if sample is not None}
    up = _family("fleetdash_host_up", "1 when the host's poller spoke in the last 30 s.", "host")
    cores = _family("fleetdash_host_cores", "Cores of the host.", "host")
    for host in hosts:
        up.add_metric([host.name], float(host.name in heard))
        cores.add_metric([host.name], host.cores)
    yield from (up, cores)
    for name, text, path in _OF_SAMPLE:
        family = _family(f"fleetdash_host_{name}", text, "host")
        for host_name, sample in heard.items():
            value = _at(sample, path)
            if value is not None:
                family.add_metric([host_name], value)
        yield family
    yield from _pressure(heard)
    yield from _zram(heard)
    yield from _guests([host.name for host in hosts])
    yield from _processes([host.name for host in hosts])


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _at(sample: dict[str, Any], path: str) -> float | None:
    value: Any = sample
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else float(value)


def _pressure(samples: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    pressure = _family(
        "fleetdash_host_pressure_ratio",
        "Share of the last ten seconds in which some, or all, tasks waited (PSI).",
        "host", "resource", "tasks",
    )
    for name, sample in samples.items():
        for resource, tasks in _PRESSURES:
            percent = _at(sample, f"psi.{resource}_{tasks}")
            if percent is not None:
                pressure.add_metric([name, resource, tasks], percent / 100)
    yield pressure


def _zram(samples: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    for kind, text in _ZRAM:
        family = _family(
            f"fleetdash_host_zram_{kind}_bytes", f"Compressed memory: {text}", "host", "device"
        )
        for name, sample in samples.items():
            for device in sample.get("zram") or []:
                family.add_metric([name, device["name"]], device[f"{kind}_bytes"])
        yield family


def _guests(names: Sequence[str]) -> Iterator[Metric]:
    found = {name: use for name in names if (use := usage.guests(name)) is not None}
    for metric, text, field in (
        ("guests", "Guests that run.", "guests"),
        ("guests_cpu_cores", "Cores that all guests together take.", "cores"),
        ("guests_rss_bytes", "Memory of guests; what they share counts for each.", "rss_bytes"),
        ("guests_measured", "Guests whose exact memory is known.", "measured"),
        ("guests_pss_bytes", "Exact memory (PSS) of the guests of which it is known.",
         "pss_bytes"),
    ):
        family = _family(f"fleetdash_{metric}", text, "host")
        for name, use in found.items():
            family.add_metric([name], getattr(use, field))
        yield family


def _processes(names: Sequence[str]) -> Iterator[Metric]:
    labels = ["host", "process"]
    up = _family(
        "fleetdash_process_up", "1 when the process made progress in the last 15 s.", *labels
    )
    cpu = CounterMetricFamily(
        "fleetdash_process_cpu_seconds", "Processor time of our own processes.", labels=labels
    )
    memory = _family(
        "fleetdash_process_resident_memory_bytes", "Memory of our own processes.", *labels
    )
    threads = _family("fleetdash_process_threads", "Threads of our own processes.", *labels)
    for name in names:
        for process, progresses in bus.making_progress(PROCESSES, name).items():
            up.add_metric([name, process], float(progresses))
        for use in usage.processes(name):
            cpu.add_metric([name, use["name"]], use["cpu_s"])
            memory.add_metric([name, use["name"]], use["rss_bytes"])
            threads.add_metric([name, use["name"]], use["threads"])
    yield from (up, cpu, memory, threads)
