"""How equal memory is to be merged: what FLEETDASH_KSM says, or what a person chose since."""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("auto", "on", "off", "leave")


@dataclass(frozen=True)
class Choice:
    """How merging is to be: `auto`, `on` at a fixed pace, `off`, or `leave` it to the operator.

    `asked` by a person while the fleet runs; else it is FLEETDASH_KSM's.
    """

    mode: str
    pages_to_scan: int = 0
    sleep_ms: int = 0
    asked: bool = False

    @property
    def leaves_alone(self) -> bool:
        """Whether the kernel's settings are to be what they were."""
        return self.mode == "leave" or (self.mode == "off" and not self.asked)

    @property
    def sentence(self) -> str:
        """What merging does by this choice; empty where it is paced."""
        return _SENTENCES.get((self.mode, self.asked), "")


_SENTENCES = {
    ("off", False): "Switched off (FLEETDASH_KSM=off).",
    ("off", True): "Switched off; what has merged stays so until it is written to.",
    ("leave", False): "Left to the operator's own settings (FLEETDASH_KSM=leave).",
    ("leave", True): "Left to the machine's own settings.",
}
