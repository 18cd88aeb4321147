from __future__ import annotations

from devices.host import load


def test_it_reads_the_averages_and_the_number_of_tasks() -> None:
    assert load.parse("190.52 93.10 0.05 3/4183 30077\n") == load.LoadSample(
        190.52, 93.1, 0.05, 4183
    )
