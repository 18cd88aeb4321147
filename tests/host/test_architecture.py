from __future__ import annotations

import os

import pytest

from devices.host import architecture
from devices.host.errors import UnknownArchitecture


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("amd64", "x64"),
        ("x86_64", "x64"),
        ("x64", "x64"),
        ("arm64", "arm64"),
        ("aarch64", "arm64"),
        (" AArch64\n", "arm64"),
    ],
)
def test_it_has_one_name_for_each_architecture(machine: str, name: str) -> None:
    assert architecture.normalise(machine) == name


@pytest.mark.parametrize("machine", ["riscv64", "i686", "armv7l", "", "arm", "x86"])
def test_it_refuses_others_with_a_sentence(machine: str) -> None:
    with pytest.raises(UnknownArchitecture, match="run it on x64") as caught:
        architecture.normalise(machine)
    assert repr(machine) in str(caught.value)


def test_it_knows_this_machine() -> None:
    assert architecture.of_this_machine() == architecture.normalise(os.uname().machine)
