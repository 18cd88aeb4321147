"""Guests' console output on its way from qemu to Redis; runs in the worker only."""

from __future__ import annotations

import logging
import threading

from devices.qemu.console import ConsoleRecorder
from devices.qemu.guest_folder import GuestFolder
from devices.services import bus, guests

log = logging.getLogger(__name__)

_lock = threading.Lock()
_recorder: ConsoleRecorder | None = None


def _keep(serial: str, chunk: bytes) -> None:
    bus.append_console({serial: chunk})


def start() -> None:
    """Begin recording consoles in this process."""
    global _recorder
    with _lock:
        if _recorder is None:
            _recorder = ConsoleRecorder(_keep)
            _recorder.start()


def stop() -> None:
    """Stop recording; what guests say meanwhile is lost, the guests are not."""
    global _recorder
    with _lock:
        if _recorder is not None:
            _recorder.stop()
        _recorder = None


def follow(serial: str) -> None:
    """Record a guest's console from now on, if this process records."""
    if _recorder is not None:
        _recorder.add(serial, GuestFolder(guests.folder(serial)).console_socket)


def unfollow(serial: str) -> None:
    """Stop recording a guest's console."""
    if _recorder is not None:
        _recorder.remove(serial)
