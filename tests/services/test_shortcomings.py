from __future__ import annotations

from pathlib import Path

import pytest

from devices.services import bus, shortcomings, summary, tending
from tests.rows import a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def test_a_kernel_without_ksm_zram_and_pressure_is_said_to_lack_them(tmp_path: Path) -> None:
    lacking = shortcomings.found(tmp_path)
    assert [sentence.split(":")[0] for sentence in lacking] == [
        "This kernel has no KSM (CONFIG_KSM)",
        "This kernel has no zram",
        "This kernel does not measure pressure (boot it with psi=1)",
    ]


def test_what_the_kernel_refused_the_worker_stands_in_the_summary(
    settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path  # type: ignore[attr-defined]
    monkeypatch.setattr(tending, "_full_at", float("-inf"))
    a_host("here")
    shortcomings.note(["This kernel cannot merge whole processes."])
    try:
        tending.tend("here")
    finally:
        shortcomings.note([])
    (host,) = summary.summary()["hosts"]
    assert host["shortcomings"][0] == "This kernel cannot merge whole processes."
    bus.client().flushall()
    (host,) = summary.summary()["hosts"]
    assert host["shortcomings"] == []
