from __future__ import annotations

from dataclasses import replace

import pytest

from devices.qemu.errors import BadShape
from devices.qemu.shape import Shape


def test_the_usual_guest_is_small() -> None:
    shape = Shape()
    assert (shape.memory_mib, shape.cpus, shape.translation_buffer_mib) == (128, 1, 32)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory_mib", 31), ("memory_mib", 65537),
        ("cpus", 0), ("cpus", 65),
        ("translation_buffer_mib", 3), ("translation_buffer_mib", 2049),
    ],
)  # fmt: skip
def test_a_shape_no_guest_can_have_is_refused(field: str, value: int) -> None:
    with pytest.raises(BadShape, match=str(value)):
        replace(Shape(), **{field: value})  # type: ignore[arg-type]
