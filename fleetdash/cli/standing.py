"""Whether a fleet is fit for a show, from what it says of itself: checks with a sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fleetdash.cli import text

# per core; above it something else is at work
BUSY_RUN_QUEUE = 1.0
MIB = 1 << 20


@dataclass(frozen=True)
class Check:
    """One line of a rehearsal; `ok` is None for what one should know but need not mend."""

    ok: bool | None
    what: str
    sentence: str

    @property
    def mark(self) -> str:
        """✓, ✗ or !."""
        return {True: "✓", False: "✗", None: "!"}[self.ok]


def checks(summary: dict[str, Any], needed: int) -> Iterator[Check]:
    """All that can be told before anything is started."""
    firmware = summary["firmware"]
    if firmware is None:
        yield Check(False, "firmware", "There is none yet: run bin/up.")
    else:
        said = f"{firmware['version']} for {firmware['architecture']}."
        yield Check(True, "firmware", said)
    if not summary["hosts"]:
        yield Check(False, "hosts", "There is none yet: run bin/up on the machine.")
    if summary["hosts"] and not any(h["processes"].get("control") for h in summary["hosts"]):
        yield Check(False, "control", "The control process makes no progress: run bin/up.")
    for host in summary["hosts"]:
        yield from _host(host, firmware["architecture"] if firmware else "arm64")
    yield from _fleet(summary, needed)


def _fleet(summary: dict[str, Any], needed: int) -> Iterator[Check]:
    fits, capacity = summary["fits"], summary["capacity"]
    said = f"{fits:,} more devices fit, {needed:,} are needed; one takes "
    said += f"{capacity['device_cost_bytes'] / MIB:.0f} MiB ({capacity['cost_source']})."
    if fits < needed:
        said += " Remove some, free memory, or rehearse fewer (--count)."
    yield Check(fits >= needed, "capacity", said)
    if capacity["waiting"]:
        yield Check(None, "launching", capacity["waiting"])
    for notice in summary["notices"]:
        said = f"{text.moment(notice['at'])}: {notice['text']}"
        yield Check(None, f"{notice['host']}: notice", said)
    counts = summary["counts"]
    unwell = {state: counts[state] for state in ("failed", "offline") if counts.get(state)}
    if unwell:
        said = ", ".join(f"{n} {state}" for state, n in unwell.items())
        yield Check(None, "fleet", f"{said} of {summary['total']}: bin/fleet ls shows why.")
    running = [o for o in summary["operations"] if o["state"] == "running"]
    if running:
        numbers = ", ".join(str(o["id"]) for o in running)
        yield Check(
            False, "operations", f"Still running: {numbers}. Let it end, or bin/fleet cancel it."
        )


def _host(host: dict[str, Any], architecture: str) -> Iterator[Check]:
    name = host["name"]
    wanted = ("worker", "poller", "gateway")
    silent = [process for process in wanted if not host["processes"].get(process)]
    if silent or host["sample"] is None:
        who = " and the ".join(silent) or "poller"
        yield Check(False, f"{name}: processes", f"No word from the {who}: run bin/up.")
    else:
        yield Check(True, f"{name}: processes", "Worker, poller and gateway make progress.")
    proof = host["accelerators"].get(architecture) or {}
    yield Check(
        bool(proof.get("accelerator")),
        f"{name}: accelerator",
        f"{proof['accelerator']} was proven by a guest that booted."
        if proof.get("accelerator")
        else f"None is proven for {architecture} guests: the page /hosts/{name}/ says why.",
    )
    yield _template(host)
    for other, said in host.get("templates", {}).items():
        if said is not None and other != architecture:
            ready = said["state"] == "ready"
            yield Check(ready or None, f"{name}: {other} template", said["sentence"])
    for sentence in host["missing_protections"]:
        yield Check(None, f"{name}: protection", sentence)
    if host["sample"] is not None:
        yield from _feel(name, host["cores"], host["sample"])
        yield _merging(name, host["sample"].get("ksm"), host["merging"])


def _template(host: dict[str, Any]) -> Check:
    template = host["template"] or {"state": "", "sentence": "The worker has said nothing of it."}
    sentence = template["sentence"]
    if template["state"] == "making":
        sentence += " Wait until it is ready."
    return Check(template["state"] == "ready", f"{host['name']}: template", sentence)


def _feel(name: str, cores: int, sample: dict[str, Any]) -> Iterator[Check]:
    memory = sample["memory"]
    yield Check(
        True,
        f"{name}: memory",
        f"{text.gib(memory['available_bytes'])} of {text.gib(memory['total_bytes'])} are free.",
    )
    queue = (sample.get("cpu") or {}).get("run_queue", 0.0)
    if queue > BUSY_RUN_QUEUE * cores:
        yield Check(
            None,
            f"{name}: load",
            f"{queue:.0f} tasks want {cores} cores before anything has begun: the show is slower.",
        )
    yield _swap(name, memory, sample.get("zram"))
    psi = sample.get("psi")
    if psi is not None and psi["memory_some"] > 1:
        said = f"Tasks waited for memory {psi['memory_some']:.0f} % of the last ten seconds."
        yield Check(None, f"{name}: pressure", said)
    elif psi is None:
        yield Check(True, f"{name}: pressure", "Not measured by this kernel (PSI); not needed.")
    else:
        yield Check(True, f"{name}: pressure", "No task waits for memory.")


def _merging(name: str, ksm: dict[str, Any] | None, said: dict[str, Any] | None) -> Check:
    what = f"{name}: merging"
    if ksm is None:
        return Check(None, what, "This kernel merges no memory (KSM): each device takes more.")
    saved = f"{ksm['saved_bytes'] / MIB:,.0f} MiB are saved now."
    if said is None:
        return Check(None, what, f"The worker has said nothing of it; {saved}")
    return Check(said["state"] != "off" or None, what, f"{said['sentence']} {saved}")


def _swap(name: str, memory: dict[str, Any], zram: list[dict[str, Any]] | None) -> Check:
    what = f"{name}: swap"
    total, free = memory["swap_total_bytes"], memory["swap_free_bytes"]
    used = [each for each in zram or [] if each["size_bytes"]]
    if used:
        ratio = used[0]["ratio"]
        said = f"zram of {text.gib(used[0]['size_bytes'])}"
        said += f", compressing {ratio:.1f} to 1." if ratio else ", empty."
        return Check(True, what, said)
    if total:
        return Check(True, what, f"{text.gib(total - free)} of {text.gib(total)} are used.")
    return Check(None, what, "There is none: what does not merge stays in memory.")
