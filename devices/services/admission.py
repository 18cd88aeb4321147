"""Whether devices that are off may be powered on: their memory has to fit, as that of new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from devices.errors import DoesNotFit
from devices.models import Device
from devices.services import capacity
from devices.services.capacity import MIB, HostCapacity


def check_room(devices: Sequence[Device]) -> None:
    """Raises DoesNotFit when a host has no room for all of those whose disks it has.

    What fits of one architecture leaves its share of the host to the next.
    """
    wanted = Counter((d.host.name, d.firmware.architecture) for d in devices)
    hosts = {
        architecture: {
            host.name: host
            for host in capacity.fleet_capacity(Device.Start.COLD, architecture).hosts
        }
        for architecture in {architecture for _, architecture in wanted}
    }
    left: dict[str, float] = {}
    fits = 0
    refusal = ""
    for (name, architecture), count in sorted(wanted.items()):
        host = hosts[architecture][name]
        most = int(host.fits * left.get(name, 1.0) + 1e-9)
        fits += min(count, most)
        if count > most:
            refusal = refusal or _refusal(count, most, host)
        else:
            left[name] = left.get(name, 1.0) - count / host.fits
    if refusal:
        raise DoesNotFit(refusal, fits=fits)


def _refusal(count: int, most: int, host: HostCapacity) -> str:
    devices = "1 device does" if count == 1 else f"{count:,} devices do"
    if not host.free_bytes:
        why = host.waiting
    else:
        why = host.limit or (
            f"one that starts from its disk takes {host.cost.settled_bytes / MIB:,.1f} MiB, "
            f"{host.cost.sentence}; {host.free_bytes / MIB:,.0f} MiB are free"
        )
    return (
        f"{devices} not fit on {host.name}: {most:,} can be powered on now ({why}). "
        "Power on fewer, or remove or power off some."
    )
