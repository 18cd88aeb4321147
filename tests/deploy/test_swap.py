from __future__ import annotations

import io
from pathlib import Path

import pytest

from devices.host import zram_swap
from fleetdash.deploy import swap
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import Installation
from fleetdash.deploy.progress import Progress

MIB = 1 << 20


def test_no_swap_is_wanted_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETDASH_ZRAM", raising=False)
    assert swap.wanted_bytes(None) is None
    assert swap.wanted_bytes("64M") == 64 * MIB
    monkeypatch.setenv("FLEETDASH_ZRAM", "128M")
    assert swap.wanted_bytes(None) == 128 * MIB
    monkeypatch.setenv("FLEETDASH_ZRAM", "0")
    assert swap.wanted_bytes(None) is None


def test_a_bad_size_is_refused_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETDASH_ZRAM", "plenty")
    with pytest.raises(DeployError, match="FLEETDASH_ZRAM"):
        swap.wanted_bytes(None)


def test_it_is_offered_made_and_taken_away_by_whoever_made_it(tmp_path: Path) -> None:
    problem = zram_swap.why_not()
    if problem:
        pytest.skip(problem)
    here, other = Installation(tmp_path, tmp_path / "a"), Installation(tmp_path, tmp_path / "b")
    out = io.StringIO()
    progress = Progress(out)
    swap.offer(here, progress, None)
    assert "bin/up --zram" in out.getvalue()
    swap.offer(here, progress, 64 * MIB)
    assert "64 MiB of swap in compressed memory: /dev/zram" in out.getvalue()
    try:
        swap.offer(other, progress, 64 * MIB)
        assert "has swap already. All goes on without it." in out.getvalue()
        swap.take_away(other, progress)
        assert zram_swap.made_by(here.id)
    finally:
        swap.take_away(here, progress)
    assert "is taken away" in out.getvalue()
    assert not zram_swap.made_by(here.id)


def test_one_of_which_only_the_record_is_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, out = Installation(tmp_path, tmp_path / "a"), io.StringIO()
    made = zram_swap.Swap("/dev/zram7", 64 * MIB)
    monkeypatch.setattr(zram_swap, "made_by", lambda maker: maker == here.id)
    monkeypatch.setattr(zram_swap, "make", lambda size, maker: made)
    monkeypatch.setattr(zram_swap, "made", lambda: made)
    swap.offer(here, Progress(out), 64 * MIB)
    assert out.getvalue() == ""
    monkeypatch.setattr(zram_swap, "made", lambda: None)
    swap.offer(here, Progress(out), 64 * MIB)
    assert "64 MiB of swap in compressed memory: /dev/zram7" in out.getvalue()
