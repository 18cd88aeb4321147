from __future__ import annotations

import struct

import pytest

from devices.firmware import layout
from devices.firmware.errors import LayoutError


def test_offsets_are_those_of_nerves() -> None:
    assert layout.ENVIRONMENT.offset == 0x2000
    assert layout.ENVIRONMENT.size == 128 * 1024
    assert [layout.KERNEL[slot].first_block for slot in "ab"] == [272, 102672]
    assert [layout.ROOTFS[slot].first_block for slot in "ab"] == [205072, 307472]
    assert layout.APPLICATION_DATA.first_block == 409872
    assert layout.DISK_BLOCKS == 717072


def test_regions_do_not_overlap() -> None:
    regions = [layout.ENVIRONMENT, *layout.KERNEL.values(), *layout.ROOTFS.values()]
    ordered = sorted([*regions, layout.APPLICATION_DATA], key=lambda region: region.first_block)
    for before, after in zip(ordered, ordered[1:], strict=False):
        assert before.end_block <= after.first_block


def test_master_boot_record_names_three_partitions() -> None:
    record = layout.master_boot_record(disk_signature=0xA1B2C3D4)
    assert len(record) == 512
    assert record[510:] == b"\x55\xaa"
    assert struct.unpack_from("<I", record, 440) == (0xA1B2C3D4,)
    entries = [struct.unpack_from("<II", record, 446 + 16 * number + 8) for number in range(4)]
    assert entries == [(205072, 102400), (307472, 102400), (409872, 307200), (0, 0)]


def test_what_does_not_fit_is_refused() -> None:
    layout.KERNEL["a"].check(50 * 1024 * 1024)
    with pytest.raises(LayoutError, match="kernel slot A takes 52428800 bytes"):
        layout.KERNEL["a"].check(50 * 1024 * 1024 + 1)
