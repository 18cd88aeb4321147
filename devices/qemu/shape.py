"""How large a guest is."""

from __future__ import annotations

from dataclasses import dataclass

from devices.qemu.errors import BadShape

# qemu's `-accel tcg,tb-size=1` makes an idle guest translate for ever; 4 was fine.
LEAST_TRANSLATION_BUFFER_MIB = 4


@dataclass(frozen=True)
class Shape:
    """Memory and processors of a guest, and what its emulation may take; raises BadShape.

    `translation_buffer_mib` is the limit of translated code under tcg; docs/confinement.md has what
    other sizes cost. `free_page_reporting` gives the guest a balloon to hand memory back through:
    safe on ordinary anonymous memory only, so a warm clone never has one.
    """

    memory_mib: int = 128
    cpus: int = 1
    translation_buffer_mib: int = 32
    free_page_reporting: bool = False

    def __post_init__(self) -> None:
        if not 32 <= self.memory_mib <= 65536:
            raise BadShape(f"A guest has 32 to 65536 MiB of memory, not {self.memory_mib}.")
        if not 1 <= self.cpus <= 64:
            raise BadShape(f"A guest has 1 to 64 processors, not {self.cpus}.")
        if not LEAST_TRANSLATION_BUFFER_MIB <= self.translation_buffer_mib <= 2048:
            raise BadShape(
                f"A translation buffer has {LEAST_TRANSLATION_BUFFER_MIB} to 2048 MiB, "
                f"not {self.translation_buffer_mib}."
            )
