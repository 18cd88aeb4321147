from __future__ import annotations

import os

import psutil

from devices.host import inventory


def test_it_learns_what_this_machine_is() -> None:
    machine = inventory.take()
    assert machine.architecture in {"x64", "arm64"}
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert 0 < machine.memory_bytes <= psutil.virtual_memory().total
    assert machine.hostname == os.uname().nodename
    assert machine.kernel == os.uname().release
    assert len(machine.boot_id) == 36
