"""`bin/bench launch`: cold devices a second from the request to online, beside the raw loop."""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

from bench import fleet, guests, processes, raw
from devices.firmware import artifact

SETTLE_S = 30.0
PER_CORE = 2


def run(*, count: int) -> dict[str, Any]:
    """Both runs one after the other on an otherwise empty fleet; PSS is the mean over all guests.

    The raw loop starts the same firmware with the same command line, unconfined, as many at once
    as the fleet does on an idle host.
    """
    running = fleet.find()
    running.empty()
    firmware = running.get("summary")["firmware"]
    image = artifact.load(
        running.var / "firmware" / firmware["architecture"] / firmware["sha256"]
    )
    memory_mib = int(os.environ.get("FLEETDASH_DEVICE_MEMORY_MIB", "128"))
    width = PER_CORE * len(os.sched_getaffinity(0))
    bare = raw.run(image, count=count, width=width, memory_mib=memory_mib)
    operation = running.operate("add", count, start="cold")
    time.sleep(SETTLE_S)
    pss_kib = [processes.cost(pid).pss_kib for pid in guests.recorded(running.var)]
    running.empty()
    raw_rate = len(bare.reported_s) / max(bare.reported_s.values(), default=1.0)
    return {
        "devices": count,
        "fleet": {
            "state": operation["state"],
            "online": operation["done"],
            "devices_per_s": round(operation["rate_per_s"], 3),
            "p50_s": round(operation["p50_s"] or 0, 2),
            "p95_s": round(operation["p95_s"] or 0, 2),
        },
        "raw_loop": {
            "reported": len(bare.reported_s),
            "at_once": width,
            "devices_per_s": round(raw_rate, 3),
            "boot_wall_s_median": round(_median_boot_s(bare), 2),
            "boot_cpu_s_median": round(statistics.median(bare.cpu_s.values()), 2),
        },
        "fleet_to_raw": round(operation["rate_per_s"] / raw_rate, 3),
        "pss_mib_mean": round(statistics.mean(pss_kib) / 1024, 1) if pss_kib else None,
    }


def _median_boot_s(bare: raw.RawRun) -> float:
    return statistics.median(
        reported - bare.started_s[serial] for serial, reported in bare.reported_s.items()
    )
