"""What a host is and how it runs guests, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devices.live import words

ACCELERATORS = {
    "kvm": "KVM, in hardware",
    "hvf": "HVF, in hardware",
    "tcg": "TCG, in software",
}


def machine(host: Mapping[str, Any]) -> dict[str, Any]:
    """A host of `summary()`, for the section that says what runs the devices and why."""
    proofs = []
    for architecture, proof in sorted((host["accelerators"] or {}).items()):
        chosen = proof.get("accelerator") or ""
        seconds = proof.get("seconds")
        proofs.append(
            {
                "architecture": architecture,
                "accelerator": chosen,
                "meaning": ACCELERATORS.get(chosen, "none: no guest of this kind has booted"),
                "refused": sorted((proof.get("refused") or {}).items()),
                "proven": f"proven by a guest that booted in {words.duration(seconds)}"
                if seconds else "",
                "qemu": proof.get("qemu_version") or "",
            }
        )
    return {
        "name": host["name"],
        "architecture": host["architecture"],
        "cores": host["cores"],
        "memory": words.size(host["memory_bytes"]),
        "kernel": host["kernel_release"],
        "proofs": proofs,
        "missing_protections": host["missing_protections"],
        "shortcomings": host["shortcomings"],
    }
