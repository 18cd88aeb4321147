from __future__ import annotations

from pathlib import Path

from devices.host import zram


def test_zram_names_the_algorithm_in_use_and_its_ratio() -> None:
    sample = zram.parse("zram1", "1073741824\n", "4000 1000 1500 0 1500 0 0 0 0\n", "lzo [lz4]\n")
    assert sample == zram.ZramSample("zram1", "lz4", 1 << 30, 4000, 1000, 1500, 4.0)


def test_an_empty_zram_has_no_ratio() -> None:
    assert zram.parse("zram0", "0", "0 0 0 0 0 0 0 0 0", "[lzo-rle] lz4").ratio is None


def test_what_the_kernel_does_not_have_is_none(tmp_path: Path) -> None:
    assert zram.read(tmp_path) is None
