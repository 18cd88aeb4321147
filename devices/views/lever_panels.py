"""What a host's page says of a lever: its value, its effect, how it was, what a form offers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from devices.live import words
from devices.services.lever_words import in_words
from devices.services.levers import LeverView

TITLES = {
    "ksm": "Merging of equal memory (KSM)",
    "zram": "Swap in compressed memory (zram)",
    "swappiness": "Swappiness",
}
MODES = (
    ("auto", "At a pace that pays", "The worker decides it from what merging costs and brings."),
    ("on", "At a fixed pace", ""),
    ("off", "Off", "What has merged stays so until it is written to."),
    ("leave", "As the machine has it", "fleetdash sets nothing."),
)
# what is asked before a lever is set; a field's name in braces stands for what is in it
QUESTIONS = {
    "ksm": "Change merging on {host}: {mode}?",
    "zram": "Make swap of {size} on {host}?",
    "swappiness": "Set swappiness of {host} to {value}?",
}
REMOVING = "Remove swap from {host}?"
USUAL_PAGES, USUAL_SLEEP_MS = 1000, 20
USUAL_SIZE = "50%"
USUAL_ALGORITHM = "lz4"


def panel(
    host_name: str, view: LeverView, merging: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A lever for its template; `means` changes when its form has to be another one.

    `merging` is what the worker last said of KSM.
    """
    asked = view.asked or {}
    form = _FORMS[view.name](view.present or {}, view.limits) if view.limits else {}
    question = REMOVING if form.get("there") else QUESTIONS[view.name]
    return {
        "name": view.name,
        "title": TITLES[view.name],
        "about": view.about,
        "present": in_words(view.name, view.present) if view.present else "",
        "effect": _EFFECTS[view.name](view.effect) if view.effect else [],
        "before": in_words(view.name, view.before) if view.before else "",
        "refused": view.refused,
        "pending": view.pending,
        "problem": asked.get("problem", ""),
        "asked_by": asked.get("by", ""),
        "asked_at": datetime.fromisoformat(asked["asked_at"]) if asked else None,
        "form": form,
        "question": question.replace("{host}", host_name),
        "said": _said(merging) if merging and view.name == "ksm" else "",
        "means": _means(view),
    }


def _said(merging: Mapping[str, Any]) -> str:
    share = merging["core_share"] or 0.0
    cost = f" It takes {100 * share:.0f} % of a core." if share >= 0.005 else ""
    return f"{merging['sentence']}{cost}"


def _means(view: LeverView) -> str:
    present = dict(view.present or {})
    if present.get("mode", "on") != "on":
        present = {"mode": present["mode"]}  # its pace is the worker's to change
    return f"{sorted(present.items())} {bool(view.refused)}"


def _ksm_effect(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    profit = found["profit_bytes"]
    rows = [("Saved", words.size(found["saved_bytes"]))]
    if profit is not None:
        rows.insert(0, ("Profit, less its own records", words.signed_size(profit)))
    shared, sharing = found["pages_shared"], found["pages_sharing"]
    rows.append(("Pages kept once", f"{shared:,}, in place of {shared + sharing:,}"))
    rows.append(("Passes over all memory", f"{found['full_scans']:,}"))
    if found["ksmd_cpu_s"] is not None:
        rows.append(("Processor time so far", words.duration(found["ksmd_cpu_s"])))
    return rows


def _zram_effect(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("Swapped out", words.size(found["swapped_bytes"]))]
    if "used_bytes" in found:
        ratio = found["ratio"]
        rows += [
            ("Holds", words.size(found["original_bytes"])),
            ("In memory", words.size(found["used_bytes"])),
            ("Ratio", f"{ratio:.1f} to 1" if ratio else "–"),
        ]
    return rows


def _swappiness_effect(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    total = found["swap_total_bytes"]
    if not total:
        return [("Swap", "none: it has no effect now")]
    return [("Swapped out", f"{words.size(found['swapped_bytes'])} of {words.size(total)}")]


_EFFECTS = {"ksm": _ksm_effect, "zram": _zram_effect, "swappiness": _swappiness_effect}


def _ksm_form(present: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    fixed = present.get("mode") == "on"
    return {
        "modes": [
            {"value": value, "label": label, "word": label.lower(), "detail": detail,
             "checked": value == present.get("mode")}
            for value, label, detail in MODES
        ],
        "pages": present["pages_to_scan"] if fixed else USUAL_PAGES,
        "sleep_ms": present["sleep_ms"] if fixed else USUAL_SLEEP_MS,
        "pages_limits": limits["pages_to_scan"],
        "sleep_limits": limits["sleep_ms"],
    }


def _zram_form(present: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    least, most = limits["size_bytes"]
    return {
        "there": bool(present.get("size_bytes")),
        "size": USUAL_SIZE,
        "least": words.size(least),
        "most": words.size(most),
        "algorithms": [
            {"name": name, "chosen": name == USUAL_ALGORITHM} for name in limits["algorithms"]
        ],
    }


def _swappiness_form(present: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": present.get("value", ""), "limits": limits["value"]}


_FORMS = {"ksm": _ksm_form, "zram": _zram_form, "swappiness": _swappiness_form}
