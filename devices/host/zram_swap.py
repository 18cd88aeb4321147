"""A compressed swap in memory (zram), for a host that has no swap.

A machine has one of ours at a time. Who made it is written down first, so that its maker, and
nobody else, takes it away again; the settings that suit it are held beneath what people set.
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

from devices.host import kernel_settings, memory
from devices.host.errors import CannotSet, NoZramSwap
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

    Raises NoZramSwap for one that is no size, under 64 MiB, or over all the memory.
    """
    found = re.fullmatch(r"(\d+)(%|[KMG]?)(?:i?B)?", text.strip(), flags=re.IGNORECASE)
    if found is None:
        raise NoZramSwap(f"{text!r} is no size; write 8G, 512M, or 50% of the memory.")
    number, unit = int(found[1]), found[2].upper()
    size = total_bytes * number // 100 if unit == "%" else number * _UNITS[unit]
    if not LEAST_BYTES <= size <= total_bytes:
        raise NoZramSwap(
            f"A zram swap has at least 64 MiB and at most as much as there is memory "
            f"({total_bytes // MIB:,} MiB), not {size // MIB:,} MiB."
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


def make(size: int, maker: str, root: Path = Path("/"), *, algorithm: str = "") -> Swap:
    """Make a swap of so many bytes and use it; raises NoZramSwap, and then nothing is left.

    `maker` is who may `remove` it; without an `algorithm` the fastest that is built is taken.
    """
    problem = why_not(root)
    if problem:
        raise NoZramSwap(problem)
    _tidy_up(maker, root)
    number = int((_control(root) / "hot_add").read_text())
    swap = Swap(f"/dev/zram{number}", size)
    try:
        _record(root, {"number": number, "maker": maker})
        folder = root / "sys/block" / f"zram{number}"
        _choose(folder / "comp_algorithm", algorithm)
        (folder / "disksize").write_text(str(size))
        _run("mkswap", swap.device)
        _run("swapon", "--priority", "100", swap.device)
        for name, value in TUNING.items():
            kernel_settings.hold(name, value, _holder(maker), root, beneath=True)
    except (OSError, CannotSet, NoZramSwap) as error:
        with contextlib.suppress(NoZramSwap):
            _run("swapoff", swap.device)
        _take_away(root, number, maker)
        raise NoZramSwap(f"No swap could be made in memory: {error}") from None
    return swap


def made(root: Path = Path("/")) -> Swap | None:
    """The swap that was made by any fleet of this machine; None when there is none."""
    record = _recorded(root)
    if record is None:
        return None
    device = f"/dev/zram{int(record['number'])}"
    return Swap(device, _size(root, record)) if _used_bytes(root, device) is not None else None


def made_by(maker: str, root: Path = Path("/")) -> bool:
    """Whether `maker` made a swap; somebody else may have taken it away since."""
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
    problem = why_not_remove(maker, root)
    if problem:
        raise NoZramSwap(problem)
    size = _size(root, record)
    if used is not None:
        _run("swapoff", device)
    _take_away(root, number, maker)
    return Swap(device, size)


def why_not_remove(maker: str, root: Path = Path("/")) -> str:
    """Why the swap that `maker` made has to stay, as a sentence; empty when it can go."""
    record = _recorded(root)
    if record is None or record["maker"] != maker:
        return "The swap of this machine was not made by this fleet."
    device = f"/dev/zram{int(record['number'])}"
    used = _used_bytes(root, device)
    free = memory.read(root).available_bytes
    if used and used + LEFT_FREE_BYTES > free:
        return (
            f"{used // MIB:,} MiB are in the swap {device} and only {free // MIB:,} MiB of memory "
            "are free: it stays. Free memory and try again, or restart the machine."
        )
    return ""


def algorithms(root: Path = Path("/")) -> tuple[str, ...]:
    """What this kernel can compress with, as far as a zram device is there to ask."""
    for file in sorted((root / "sys/block").glob("zram*/comp_algorithm")):
        with contextlib.suppress(OSError):
            return _offered(file)
    return ()


def _offered(file: Path) -> tuple[str, ...]:
    return tuple(file.read_text().replace("[", "").replace("]", "").split())


def _choose(file: Path, algorithm: str) -> None:
    offered = _offered(file)
    if algorithm and algorithm not in offered:
        raise NoZramSwap(f"this kernel compresses with {', '.join(offered)}, not {algorithm!r}.")
    chosen = algorithm or next((each for each in ALGORITHMS if each in offered), "")
    if chosen:
        file.write_text(chosen)


def _holder(maker: str) -> str:
    """Whose wish the settings are that suit the swap."""
    return f"{maker} zram"


def _size(root: Path, record: dict[str, Any]) -> int:
    """Bytes of the recorded device; 0 where it has been taken away already."""
    try:
        return int((root / "sys/block" / f"zram{int(record['number'])}" / "disksize").read_text())
    except FileNotFoundError:
        return 0


def _tidy_up(maker: str, root: Path) -> None:
    """Take away what `maker` began and did not end, being killed."""
    record = _recorded(root)
    if record is not None and record["maker"] == maker:
        _take_away(root, int(record["number"]), maker)


def _take_away(root: Path, number: int, maker: str) -> None:
    with contextlib.suppress(CannotSet):
        kernel_settings.release(_holder(maker), root)
    with contextlib.suppress(OSError):
        (root / "sys/block" / f"zram{number}" / "reset").write_text("1")
    with contextlib.suppress(OSError):
        (_control(root) / "hot_remove").write_text(str(number))
    (root / RECORD).unlink(missing_ok=True)


def _used_bytes(root: Path, device: str) -> int | None:
    """Bytes swapped out to a device; None when it is no swap.

    One that was made in a mount namespace which has ended is listed as `/zram1`.
    """
    for line in (root / "proc/swaps").read_text().splitlines()[1:]:
        name, _, _, used_kib, _ = line.split()
        if name.rpartition("/")[2] == device.rpartition("/")[2]:
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
    return record if usable and {"number", "maker"} <= record.keys() else None


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
