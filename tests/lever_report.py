"""What a host's worker says of its levers, as far as pages and the API ask for it."""

from __future__ import annotations

import time
from typing import Any

MIB = 1 << 20


def a_report() -> dict[str, Any]:
    """KSM is paced, there is no swap, swappiness is 60 and untouched."""
    return {
        "at": time.time(),
        "levers": {
            "ksm": {
                "present": {"run": 1, "pages_to_scan": 2000, "sleep_ms": 20, "mode": "auto"},
                "before": {"run": 0, "pages_to_scan": 100, "sleep_ms": 20, "advisor": "none"},
                "effect": {
                    "profit_bytes": -4096, "saved_bytes": 8 * MIB, "pages_shared": 10,
                    "pages_sharing": 30, "full_scans": 2, "ksmd_cpu_s": 1.5,
                },
                "limits": {"pages_to_scan": [1, 100_000], "sleep_ms": [1, 60_000]},
                "refused": "",
            },
            "zram": {
                "present": {"size_bytes": 0, "algorithm": "", "device": ""},
                "before": None,
                "effect": {"swapped_bytes": 0},
                "limits": {"size_bytes": [64 * MIB, 24 << 30], "algorithms": ["lzo", "lz4"]},
                "refused": "",
            },
            "swappiness": {
                "present": {"value": 60},
                "before": None,
                "effect": {"swap_total_bytes": 0, "swapped_bytes": 0},
                "limits": {"value": [0, 200]},
                "refused": "",
            },
        },
    }
