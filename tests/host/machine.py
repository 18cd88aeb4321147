"""A machine made of files, with KSM, swappiness and as much swap as a test wants."""

from __future__ import annotations

from pathlib import Path

KSM = {
    "run": "0", "advisor_mode": "[none] scan-time", "sleep_millisecs": "20",
    "pages_to_scan": "100", "pages_shared": "10", "pages_sharing": "30", "pages_unshared": "5",
    "full_scans": "2", "general_profit": "-4096", "pages_scanned": "0",
}  # fmt: skip


def a_machine(
    root: Path, *, swappiness: int = 60, available_mib: int = 20_000, swap_mib: int = 0
) -> Path:
    """Files of /proc and /sys below `root`, which is given back."""
    files = {
        "proc/sys/kernel/random/boot_id": "one",
        "proc/sys/vm/swappiness": str(swappiness),
        "proc/sys/vm/page-cluster": "3",
        "proc/meminfo": f"MemTotal: 25165824 kB\nMemAvailable: {available_mib * 1024} kB\n"
        f"SwapTotal: {swap_mib * 1024} kB\nSwapFree: {swap_mib * 1024} kB\nAnonPages: 1024 kB",
        "proc/swaps": "Filename Type Size Used Priority",
        "proc/7/stat": "7 (ksmd) S 2 0 0 0 -1 0 0 0 0 0 150 50 0 0",
        "sys/class/zram-control/hot_remove": "",
        "sys/block/zram0/comp_algorithm": "[lzo-rle] lzo lz4",
        "sys/block/zram0/disksize": "0",
        "sys/block/zram0/mm_stat": "0 0 0 0 0 0 0 0 0",
        **{f"sys/kernel/mm/ksm/{name}": text for name, text in KSM.items()},
    }
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return root


def ksm(root: Path, name: str) -> str:
    """A setting of the machine's merging."""
    return (root / "sys/kernel/mm/ksm" / name).read_text().strip()
