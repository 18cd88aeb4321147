"""Figures as people read them."""

from __future__ import annotations


def size(count_bytes: float | None) -> str:
    """Bytes as "18.2 GiB"; signed when negative; a dash for None."""
    if count_bytes is None:
        return "–"
    value, sign = abs(float(count_bytes)), "−" if count_bytes < 0 else ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000 or unit == "GiB":
            break
        value /= 1024
    places = 0 if unit == "B" or value >= 100 else 1
    return f"{sign}{value:,.{places}f} {unit}"


def signed_size(count_bytes: int) -> str:
    """Bytes with their sign: "+1.2 GiB", "−3.0 MiB"."""
    return ("+" if count_bytes > 0 else "") + size(count_bytes)


def duration(seconds: float | None) -> str:
    """Seconds as "0.8 s", "42 s", "3 min 05 s", "2 h 10 min"; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def rate(per_s: float) -> str:
    """Devices a second: "12.4/s", and "8.5/min" when slow."""
    if per_s <= 0:
        return "0/s"
    return f"{per_s:.1f}/s" if per_s >= 1 else f"{per_s * 60:.1f}/min"


def devices(count: int) -> str:
    """ "1 device", "1,000 devices"."""
    return "1 device" if count == 1 else f"{count:,} devices"


VERBS = {
    "add": "Add", "remove": "Remove", "reboot": "Reboot", "shut_down": "Shut down",
    "power_off": "Power off", "power_on": "Power on", "tag": "Tag",
}  # fmt: skip
OPERATION_STATES = {
    "running": "running", "succeeded": "done", "partly": "partly done", "failed": "failed",
    "cancelled": "cancelled",
}  # fmt: skip


def verb(kind: str) -> str:
    """What an operation of a kind does: "Shut down"."""
    return VERBS.get(kind, kind.replace("_", " ").capitalize())


def operation(kind: str, count: int) -> str:
    """What an operation is called: "Power off 12 devices"."""
    return f"{verb(kind)} {devices(count)}"


def operation_state(state: str, *, cancelling: bool = False) -> str:
    """An operation's state: "partly done"; "cancelling" once that was asked of a running one."""
    if cancelling and state == "running":
        return "cancelling"
    return OPERATION_STATES.get(state, state)


DOING = {
    "add": "Starting", "remove": "Removing", "reboot": "Rebooting", "shut_down": "Shutting down",
    "power_off": "Powering off", "power_on": "Powering on", "tag": "Tagging",
}  # fmt: skip


def doing(kind: str, what: str) -> str:
    """What was begun: "Shutting down fd-000012"."""
    return f"{DOING.get(kind, verb(kind) + ':')} {what}"
