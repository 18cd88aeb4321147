"""A compressed swap in memory (zram), for a host that has no swap.

A machine has one of ours at a time. What was there before is written down before anything changes,
with who made it, so that its maker, and nobody else, takes it away again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.host import memory
from devices.host.errors import NoZramSwap
from devices.host.inventory import boot_id

MIB = 1 << 20
RECORD = Path("run/fleetdash/zram.json")
# Of guests' memory the kernel makes about a third; a swap of half the memory pays for itself.
USUAL_SHARE = 0.5
LEAST_BYTES = 64 * MIB
# Decompressing is cheaper than reading a file anew, and nothing is gained by reading ahead.
TUNING = {"vm/swappiness": "100", "vm/page-cluster": "0"}
# lz4 decompresses fastest; the kernel's own choice where it is not built.
ALGORITHMS = ("lz4", "lzo-rle")
# What is swapped out must fit when it comes back, and something must be left.
LEFT_FREE_BYTES = 512 * MIB
SWAPOFF_DEADLINE_S = 120.0
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_PROGRAMS_BELOW = "/usr/sbin:/sbin:/usr/bin:/bin"


@dataclass(frozen=True)
class Swap:
    """A swap that was made: its device, and its size in bytes."""

    device: str
    size_bytes: int


def size_bytes(text: str, total_bytes: int) -> int:
    """A size as a person writes it: `8G`, `512M`, `50%` of all memory.

    Raises NoZramSwap for one that is no size, under 64 MiB, or over twice the memory.
    """
    found = re.fullmatch(r"(\d+)(%|[KMG]?)(?:i?B)?", text.strip(), flags=re.IGNORECASE)
    if found is None:
        raise NoZramSwap(f"{text!r} is no size; write 8G, 512M, or 50% of the memory.")
    number, unit = int(found[1]), found[2].upper()
    size = total_bytes * number // 100 if unit == "%" else number * _UNITS[unit]
    if not LEAST_BYTES <= size <= 2 * total_bytes:
        raise NoZramSwap(
            f"A zram swap has at least 64 MiB and at most twice the memory "
            f"({2 * total_bytes // MIB:,} MiB), not {size // MIB:,} MiB."
        )
    return size


def why_not(root: Path = Path("/")) -> str:
    """Why no swap can be made here, as a sentence; empty when one can."""
    if memory.read(root).swap_total_bytes:
        return "This machine has swap already."
    if not _control(root).is_dir():
        return "This kernel has no zram (try `modprobe zram`)."
    # where /sys is read-only a device could be added and not be removed again
    if not os.access(_control(root) / "hot_remove", os.W_OK):
        return "A swap in memory takes root and a writable /sys."
    return ""


def make(size: int, maker: str, root: Path = Path("/")) -> Swap:
    """Make a swap of so many bytes and use it; raises NoZramSwap, and then nothing is left.

    `maker` is who may `remove` it.
    """
    problem = why_not(root)
    if problem:
        raise NoZramSwap(problem)
    before = {name: (root / "proc/sys" / name).read_text().strip() for name in TUNING}
    number = int((_control(root) / "hot_add").read_text())
    swap = Swap(f"/dev/zram{number}", size)
    try:
        _record(root, {"number": number, "maker": maker, "before": before})
        folder = root / "sys/block" / f"zram{number}"
        offered = (folder / "comp_algorithm").read_text().replace("[", "").replace("]", "").split()
        algorithm = next((each for each in ALGORITHMS if each in offered), None)
        if algorithm is not None:
            (folder / "comp_algorithm").write_text(algorithm)
        (folder / "disksize").write_text(str(size))
        _run("mkswap", swap.device)
        _run("swapon", "--priority", "100", swap.device)
        for name, value in TUNING.items():
            (root / "proc/sys" / name).write_text(value)
    except (OSError, NoZramSwap) as error:
        _take_away(root, number, before)
        raise NoZramSwap(f"No swap could be made in memory: {error}") from None
    return swap


def made_by(maker: str, root: Path = Path("/")) -> bool:
    """Whether there is a swap that `maker` made."""
    record = _recorded(root)
    return record is not None and record["maker"] == maker


def remove(maker: str, root: Path = Path("/")) -> Swap | None:
    """Take away the swap that `maker` made; None when there is none of his.

    Raises NoZramSwap, and leaves it, when what is in it would not fit into free memory.
    """
    record = _recorded(root)
    if record is None or record["maker"] != maker:
        return None
    number = int(record["number"])
    device = f"/dev/zram{number}"
    used = _used_bytes(root, device)
    free = memory.read(root).available_bytes
    if used and used + LEFT_FREE_BYTES > free:
        raise NoZramSwap(
            f"{used // MIB:,} MiB are in the swap {device} and only {free // MIB:,} MiB of memory "
            "are free: it stays. Free memory and run bin/down again, or restart the machine."
        )
    size = int((root / "sys/block" / f"zram{number}" / "disksize").read_text())
    if used is not None:
        _run("swapoff", device)
    _take_away(root, number, record["before"])
    return Swap(device, size)


def _take_away(root: Path, number: int, before: dict[str, str]) -> None:
    for name, value in before.items():
        with contextlib.suppress(OSError):
            (root / "proc/sys" / name).write_text(value)
    with contextlib.suppress(OSError):
        (root / "sys/block" / f"zram{number}" / "reset").write_text("1")
    with contextlib.suppress(OSError):
        (_control(root) / "hot_remove").write_text(str(number))
    (root / RECORD).unlink(missing_ok=True)


def _used_bytes(root: Path, device: str) -> int | None:
    """Bytes swapped out to a device; None when it is no swap."""
    for line in (root / "proc/swaps").read_text().splitlines()[1:]:
        name, _, _, used_kib, _ = line.split()
        if name == device:
            return int(used_kib) * 1024
    return None


def _control(root: Path) -> Path:
    return root / "sys/class/zram-control"


def _record(root: Path, record: dict[str, object]) -> None:
    file = root / RECORD
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"boot_id": boot_id(root), **record}) + "\n")
    os.replace(new, file)


def _recorded(root: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((root / RECORD).read_text())
    except (OSError, ValueError):
        return None
    usable = isinstance(record, dict) and record.get("boot_id") == boot_id(root)
    return record if usable and {"number", "maker", "before"} <= record.keys() else None


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command, env={"PATH": _PROGRAMS_BELOW, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=SWAPOFF_DEADLINE_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise NoZramSwap(f"{command[0]} is missing (Debian's util-linux and mount).") from None
    except subprocess.TimeoutExpired:
        raise NoZramSwap(f"{command[0]} took over {SWAPOFF_DEADLINE_S:.0f} s.") from None
    if done.returncode != 0:
        said = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise NoZramSwap(f"{command[0]} failed: {said}.")
