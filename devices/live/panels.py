"""What each panel of the page says, as plain values for its template; reads services only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from devices.live import addable, words
from devices.services import bus, deaths, guests_memory, operations, summary, undo
from devices.services.cancelling import CANCELLABLE
from devices.services.progress import OperationView
from devices.states import State

RECENT_OPERATIONS = 4
SHOWN = tuple(state for state in State if state not in (State.ONLINE, State.GONE))
ABSENT = "not on this machine"
ASK_FROM = 100
AT_ONCE_S = 1.0
_ASKED_AGAIN = "It is asked again of those with which it failed; the others are left alone."
RETRY_DETAILS = {
    "add": "As many new devices are added; those that failed stay until they are removed.",
}
UNDO_QUESTIONS = {
    "add": "Remove {} again?",
    "shut_down": "Power on {} again?",
    "power_off": "Power on {} again?",
    "power_on": "Shut down {} again?",
    "tag": "Take back the tags of {}?",
}
_ON_AGAIN = "They start through their boot-loader on the disks they have, and connect again."
UNDO_DETAILS = {
    "add": "What this operation added is stopped and its disks are deleted. "
    "A removal cannot be undone.",
    "shut_down": _ON_AGAIN,
    "power_off": _ON_AGAIN,
    "power_on": "The devices are asked to end themselves; their disks and places stay.",
    "tag": "The tags it gave are taken away, and those it took away are given back.",
}


def counts() -> dict[str, Any]:
    """The scoreboard: how many are online, of how many, and how many in each other state."""
    by_state = summary.counts()
    total = sum(by_state.values()) - by_state[State.GONE]
    bar, x = [], 0.0
    for state in (State.ONLINE, *SHOWN):
        width = 1000 * by_state[state] / total if total else 0.0
        if width:
            bar.append({"state": str(state), "x": f"{x:.1f}", "width": f"{width:.1f}"})
        x += width
    return {
        "online": by_state[State.ONLINE],
        "online_text": f"{by_state[State.ONLINE]:,}",
        "total": total,
        "total_text": f"{total:,}",
        "digits": len(f"{by_state[State.ONLINE]:,}"),
        "states": [
            {"state": str(s), "count": by_state[s], "text": f"{by_state[s]:,}"} for s in SHOWN
        ],
        "bar": bar,
    }


def capacity() -> dict[str, Any]:
    """How many more devices fit of each architecture, and how many there are to remove."""
    by_state = summary.counts()
    return {
        "sorts": addable.sorts(),
        "removable": sum(
            n for state, n in by_state.items() if state not in (State.GONE, State.STOPPING)
        ),
    }


def notices() -> dict[str, Any]:
    """What happened to many guests at once, lately."""
    return {"notices": deaths.notices()}


def operation(o: OperationView) -> dict[str, Any]:
    """One operation, in words."""
    of = o.done + o.failed + o.cancelled + o.pending
    at_once = _at_once(o)
    return {
        "id": o.id,
        "title": words.operation(o.kind, o.count),
        "kind": o.kind,
        "state": o.state,
        "state_word": words.operation_state(o.state, cancelling=o.cancel_requested),
        "running": o.state == "running",
        "cancellable": (
            o.state == "running" and o.kind in CANCELLABLE and not o.cancel_requested
        ),
        "cancelling": o.state == "running" and o.cancel_requested,
        "undoable": (left := undo.touches(o)),
        "undo_asks": left >= ASK_FROM or o.kind != "add",
        "undo_question": UNDO_QUESTIONS.get(o.kind, "").format(words.devices(left)),
        "undo_detail": UNDO_DETAILS.get(o.kind, ""),
        "retryable": o.state != "running" and o.failed > 0,
        "failed_text": words.devices(o.failed),
        "retry_detail": RETRY_DETAILS.get(o.kind, _ASKED_AGAIN),
        "ended": o.done + o.failed + o.cancelled,
        "of": of,
        "done": o.done,
        "failed": o.failed,
        "cancelled": o.cancelled,
        "percent": int(100 * (of - o.pending) / of) if of else 100,
        "rate": "" if at_once else words.rate(o.rate_per_s),
        "spread": o.done > 1 and not at_once,
        "eta": words.duration(o.eta_s),
        "took": words.duration(o.seconds),
        "p50": words.duration(o.p50_s),
        "p95": words.duration(o.p95_s),
        "actor": o.actor,
        "note": o.note,
        "held": o.held,
        "created_at": o.created_at,
    }


def _at_once(o: OperationView) -> bool:
    """Whether what was done took no time to speak of, so that a rate would say nothing."""
    return o.kind == "tag" or (o.p95_s is not None and o.p95_s < AT_ONCE_S)


def recent_operations() -> dict[str, Any]:
    """Every running operation, then the newest that ended."""
    running = operations.running()
    known = {o.id for o in running}
    ended = [o for o in operations.recent(RECENT_OPERATIONS) if o.id not in known]
    shown = running + ended[: max(0, RECENT_OPERATIONS - len(running))]
    return {"operations": [operation(o) for o in shown]}


def _card(
    label: str, value: str, detail: str = "", *, percent: float | None = None, name: str = ""
) -> dict[str, Any]:
    number, _, unit = value.partition(" ")
    return {
        "name": name or label.lower(), "label": label, "number": number, "unit": unit,
        "detail": detail, "absent": False,
        "percent": None if percent is None else round(max(0.0, min(100.0, percent)), 1),
    }


def _absent(label: str) -> dict[str, Any]:
    return {
        "name": label.lower(), "label": label, "number": "–", "unit": "", "detail": ABSENT,
        "absent": True, "percent": None,
    }


def _memory(sample: Mapping[str, Any], guests_bytes: int) -> dict[str, Any]:
    """Memory as a stack: what is there, and beyond its end what merging saves."""
    memory, ksm = sample["memory"], sample["ksm"]
    total, available = memory["total_bytes"], memory["available_bytes"]
    zram = sum(d["used_bytes"] for d in sample["zram"] or ())
    saved = ksm["saved_bytes"] if ksm else 0
    used = total - available
    guests = min(guests_bytes, max(0, used - zram))
    parts = (
        ("guests", guests), ("rest", used - guests - zram), ("zram", zram),
        ("free", available), ("saved", saved),
    )
    stack, x = [], 0.0
    for name, count in parts:
        width = 100 * count / (total + saved)
        stack.append({
            "name": name, "text": words.size(count), "none": not count,
            "x": f"{x:.2f}", "width": f"{width:.2f}",
        })
        x += width
    swap = memory["swap_total_bytes"] - memory["swap_free_bytes"]
    detail = f"of {words.size(total)}"
    if memory["swap_total_bytes"]:
        detail += f" · swap {words.size(swap)}"
    card = _card("Memory", f"{words.size(used)} used", detail, percent=100 * used / total)
    return card | {"stack": stack}


def _ksm(ksm: Mapping[str, Any] | None, merging: Mapping[str, Any] | None) -> dict[str, Any]:
    if ksm is None:
        return _absent("KSM")
    profit = ksm["general_profit_bytes"]
    state = {0: "stopped", 1: "merging", 2: "unmerging"}.get(ksm["run"], "?")
    scans = "1 full scan" if ksm["full_scans"] == 1 else f"{ksm['full_scans']:,} full scans"
    shown = words.size(ksm["saved_bytes"]) if profit is None else words.signed_size(profit)
    word = "saved" if profit is None else "profit"
    detail = f"{word} · {ksm['pages_sharing']:,} pages · {scans} · {state}"
    if merging is not None:
        share = merging["core_share"] or 0.0
        cost = f" It takes {100 * share:.0f} % of a core." if share >= 0.005 else ""
        detail = f"{word} · {merging['sentence']}{cost}"
    return _card("KSM", shown, detail)


def _zram(devices: list[Mapping[str, Any]] | None) -> dict[str, Any]:
    if devices is None:
        return _absent("zram")
    used = sum(d["used_bytes"] for d in devices)
    original = sum(d["original_bytes"] for d in devices)
    compressed = sum(d["compressed_bytes"] for d in devices)
    if not any(d["size_bytes"] for d in devices):
        return _card("zram", "off", "there, not set up")
    ratio = f" · {original / compressed:.1f}×" if compressed else ""
    algorithm = devices[0]["algorithm"]
    return _card("zram", words.size(used), f"holds {words.size(original)}{ratio} · {algorithm}")


def _pressure(psi: Mapping[str, Any] | None) -> dict[str, Any]:
    if psi is None:
        return _absent("Pressure")
    memory, disk = psi["memory_some"], psi["io_some"]
    return _card(
        "Pressure", f"{psi['cpu_some']:.0f} % CPU", f"memory {memory:.0f} % · disk {disk:.0f} %",
        percent=psi["cpu_some"],
    )


def _load(sample: Mapping[str, Any]) -> dict[str, Any]:
    load, cpu = sample["load"], sample["cpu"]
    detail = f"5 min {load['five']:.1f} · 15 min {load['fifteen']:.1f}"
    return _card(
        "Load", f"{load['one']:.2f}", detail,
        percent=100 * load["one"] / cpu["online"] if cpu else None,
    )


def host(
    name: str,
    sample: Mapping[str, Any] | None,
    merging: Mapping[str, Any] | None = None,
    guests_bytes: int = 0,
) -> dict[str, Any]:
    """One host's cards; `heard` is false when it says nothing.

    `guests_bytes`: memory that guests have for themselves, as last measured.
    """
    if sample is None:
        labels = ("Load", "Memory", "KSM", "zram", "Pressure")
        cards = [_absent(label) | {"detail": "no sample"} for label in labels]
        return {"name": name, "heard": False, "cards": cards}
    cards = [
        _load(sample), _memory(sample, guests_bytes), _ksm(sample["ksm"], merging),
        _zram(sample["zram"]), _pressure(sample["psi"]),
    ]
    return {"name": name, "heard": True, "cards": cards}


def _sparkline(counts: Sequence[int]) -> dict[str, Any]:
    """Counts as the outline of an area in a box of 60 by 20."""
    most = max((*counts, 1))
    step = 60 / max(1, len(counts))
    points = " ".join(
        f"{i * step:.1f},{y:.1f} {(i + 1) * step:.1f},{y:.1f}"
        for i, y in enumerate(20 - 20 * count / most for count in counts)
    )
    return {"points": f"0,20 {points} 60,20", "most": f"{max((*counts, 0)):,}"}


def hosts(
    samples: Mapping[str, Mapping[str, Any] | None],
    online_per_s: float,
    online_each_s: Sequence[int] = (),
) -> dict[str, Any]:
    """The statistics row: every host's cards and the rate at which devices come online."""
    rate = words.rate(online_per_s)
    number, _, unit = rate.partition("/")
    line = _sparkline(online_each_s)
    detail = f"the last minute; most in a second: {line['most']}"
    launch = _card("Coming online", f"{number} /{unit}", detail, name="rate") | {"line": line}
    return {
        "hosts": [
            host(
                name, sample, bus.merging_status(name),
                guests_memory.guests_bytes(name) if sample else 0,
            )
            for name, sample in sorted(samples.items())
        ],
        "launch": launch,
    }
