"""Carries out what is asked of a host's levers, and says how they are; runs in its worker.

What is wished for comes from a row that others may write, so every value is checked here again.
KSM's mode and swappiness are set anew when the worker starts, as long as the fleet is up:
`bin/down` puts back what was there before and forgets the wishes. A swap stays until it is taken
away.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from devices.host import kernel_settings, levers, zram_swap
from devices.host.errors import CannotSet, NoZramSwap
from devices.host.levers import Reading
from devices.models import Event, Host
from devices.qemu import process_memory
from devices.services import bus, merging
from devices.services.lever_words import in_words
from devices.services.levers import Lever
from devices.services.merging_choice import MODES, Choice

log = logging.getLogger(__name__)

# a change of the machine that nobody remembers having asked for is not made
TAKEN_UP_WITHIN_S = 60.0
SET_AGAIN = (Lever.KSM, Lever.SWAPPINESS)
ROOT = Path("/")
NO_PACER = "This worker does not pace merging."

_lock = threading.Lock()
_wanted = threading.Event()
# what a worker that ended had set, and this one has set anew
_set_again: set[Lever] = set()
_said: set[str] = set()


def work(host_name: str) -> None:
    """Carry out what is asked, set again what a worker that ended had set, say how all is.

    Taking a swap away may last minutes: who comes meanwhile does not wait, and whoever is at it
    looks once more.
    """
    _wanted.set()
    while _wanted.is_set():
        if not _lock.acquire(blocking=False):
            return
        try:
            _wanted.clear()
            _work(host_name)
        finally:
            _lock.release()


def _work(host_name: str) -> None:
    host = Host.objects.filter(name=host_name).first()
    if host is None:
        return
    for lever in Lever:
        asked = host.levers.get(lever)
        if asked is not None and asked["state"] == "asked":
            _carry_out(host, lever, asked)
        elif asked is not None and asked.get("kept") is not None:
            _anew(lever, asked["kept"])
    say(host_name)


def _anew(lever: Lever, wish: dict[str, Any]) -> None:
    """What this process has not set yet was set by one before it, whose end undid it or not."""
    if lever in _set_again or lever not in SET_AGAIN:
        return
    problem = _set(lever, wish)
    if not problem:
        _set_again.add(lever)
    elif problem not in _said:
        _said.add(problem)
        log.warning("%s could not be set again: %s", lever, problem)


def say(host_name: str) -> None:
    """Say how the levers are, for the page."""
    found = {str(lever): asdict(read(lever)) for lever in Lever}
    bus.keep_levers(host_name, {"at": time.time(), "levers": found})


def read(lever: Lever) -> Reading:
    """A lever of this machine as it is now."""
    if lever is Lever.ZRAM:
        return levers.read_zram(settings.FLEET_ID, ROOT)
    if lever is Lever.SWAPPINESS:
        return levers.read_swappiness(ROOT)
    merger = merging.running()
    reading = levers.read_ksm(ROOT, ksmd_pid=merger.ksmd_pid if merger else None)
    if merger is None or reading.present is None:
        return replace(reading, refused=reading.refused or NO_PACER)
    return replace(
        reading,
        present={**reading.present, "mode": merger.choice.mode},
        refused=reading.refused or merger.shut_out,
    )


def _carry_out(host: Host, lever: Lever, asked: dict[str, Any]) -> None:
    was = in_words(lever, read(lever).present)
    late_s = (timezone.now() - datetime.fromisoformat(asked["asked_at"])).total_seconds()
    if late_s > TAKEN_UP_WITHIN_S:
        problem = f"The worker came to it only after {late_s:.0f} s; ask again."
    else:
        problem = _set(lever, asked["wish"])
    if not problem:
        _set_again.add(lever)
    now = in_words(lever, read(lever).present)
    outcome = {**asked, "state": "failed" if problem else "done", "problem": problem}
    if not problem:
        outcome["kept"] = asked["wish"]
    with transaction.atomic():
        row = Host.objects.select_for_update().get(id=host.id)
        # asked for something else meanwhile: that is still to be done
        if row.levers.get(lever, {}).get("asked_at") == asked["asked_at"]:
            row.levers = {**row.levers, str(lever): {**outcome, "was": was, "now": now}}
            row.save(update_fields=["levers"])
        Event.objects.create(
            at=timezone.now(), host=host, actor_id=asked["actor"],
            text=(f"{lever} could not be changed: {problem}" if problem
                  else f"{lever}: {was} → {now}")[:500],
        )
    log.info("%s, asked by %s: %s", lever, asked["by"] or "nobody", problem or f"{was} → {now}")


def _set(lever: Lever, wish: dict[str, Any]) -> str:
    """Do it; gives why it is not done, as a sentence, and nothing when it is."""
    try:
        if lever is Lever.KSM:
            return _set_ksm(wish)
        if lever is Lever.ZRAM:
            return _set_zram(wish)
        value = _number(wish["value"], levers.read_swappiness(ROOT).limits["value"])
        kernel_settings.hold(levers.SWAPPINESS, str(value), settings.FLEET_ID, ROOT)
    except (CannotSet, NoZramSwap) as error:
        return str(error)
    except (KeyError, TypeError, ValueError, OSError) as error:
        log.exception("%s could not be set to %r", lever, wish)
        return f"It could not be set: {error}"
    return ""


def _set_ksm(wish: dict[str, Any]) -> str:
    merger = merging.running()
    if merger is None:
        return NO_PACER
    mode = str(wish["mode"])
    if mode not in MODES:
        raise ValueError(f"there is no mode {mode!r}")
    choice = Choice(mode, asked=True)
    if mode == "on":
        limits = levers.read_ksm(ROOT).limits
        choice = replace(
            choice,
            pages_to_scan=_number(wish["pages_to_scan"], limits["pages_to_scan"]),
            sleep_ms=_number(wish["sleep_ms"], limits["sleep_ms"]),
        )
    if settings.KSM == "off" and mode in ("auto", "on"):
        # guests were not offered so far; those that start from now on are
        process_memory.set_for_guests(mergeable=True)
    was = merger.choice
    problem = merger.choose(choice)
    if problem:
        merger.choose(was)
    return problem


def _set_zram(wish: dict[str, Any]) -> str:
    size_bytes = int(wish["size_bytes"])
    if not size_bytes:
        zram_swap.remove(settings.FLEET_ID, ROOT)
        return ""
    size_bytes = _number(size_bytes, levers.read_zram(settings.FLEET_ID, ROOT).limits["size_bytes"])
    there = zram_swap.made(ROOT)
    if there and there.size_bytes == size_bytes and zram_swap.made_by(settings.FLEET_ID, ROOT):
        return ""  # made by a worker that was killed before it could say so
    zram_swap.make(
        size_bytes, settings.FLEET_ID, ROOT, algorithm=str(wish.get("algorithm", ""))
    )
    return ""


def _number(value: Any, limits: list[int]) -> int:
    if not isinstance(value, int) or not limits[0] <= value <= limits[1]:
        raise ValueError(f"{value!r} is not from {limits[0]} to {limits[1]}")
    return value
