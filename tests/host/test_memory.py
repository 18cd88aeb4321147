from __future__ import annotations

import psutil

from devices.host import memory

MEMINFO = """\
MemTotal:       24684092 kB
MemFree:        24432444 kB
MemAvailable:   24379832 kB
HugePages_Total:       0
SwapTotal:       1048576 kB
SwapFree:         524288 kB
"""


def test_memory_is_in_bytes() -> None:
    sample = memory.parse(MEMINFO)
    assert sample.total_bytes == 24684092 * 1024
    assert sample.available_bytes == 24379832 * 1024
    assert sample.swap_total_bytes == 1 << 30
    assert sample.swap_free_bytes == 1 << 29


def test_memory_of_this_machine_agrees_with_psutil() -> None:
    assert memory.read().total_bytes == psutil.virtual_memory().total
