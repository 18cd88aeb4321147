"""How a lever is, in a few words: for events, the page and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MIB, GIB = 1 << 20, 1 << 30


def in_words(lever: str, present: Mapping[str, Any] | None) -> str:
    """A lever's present (or former) value: `auto`, `4.0 GiB with lz4`, `60`."""
    if present is None:
        return "not there"
    if lever == "ksm":
        return _ksm(present)
    if lever == "zram":
        size = present["size_bytes"]
        if not size:
            return "none"
        algorithm = present.get("algorithm")
        shown = f"{size / GIB:,.1f} GiB" if size >= GIB else f"{size / MIB:,.0f} MiB"
        return shown + (f" with {algorithm}" if algorithm else "")
    return str(present["value"])


def _ksm(present: Mapping[str, Any]) -> str:
    pace = f"{present['pages_to_scan']:,} pages, then {present['sleep_ms']:,} ms of rest"
    mode = present.get("mode")
    if mode == "on":
        return f"on, {pace}"
    if mode is not None and mode != "leave":
        return str(mode)
    advisor = present.get("advisor", "none")
    running = {0: "stopped", 1: f"merging, {pace}", 2: "unmerging"}.get(present["run"], "?")
    if advisor != "none":
        running += f", paced by {advisor}"
    return f"leave ({running})" if mode else running
