"""Guests' consoles between qemu and Redis, both ways; runs in the worker only."""

from __future__ import annotations

import contextlib
import logging
import threading

import redis
from django.conf import settings

from devices.qemu.console import ConsoleRecorder
from devices.qemu.guest_folder import GuestFolder
from devices.services import bus, guests, typists

log = logging.getLogger(__name__)

_LISTEN_S = 1.0
_RETRY_S = 1.0
_STOP_S = 5.0

_lock = threading.Lock()
_recorder: ConsoleRecorder | None = None
_keys: Keys | None = None


def _keep(serial: str, chunk: bytes) -> None:
    bus.append_console({serial: chunk})


class Keys:
    """A thread that brings what is typed from Redis to the guests."""

    def __init__(self, host: str, recorder: ConsoleRecorder) -> None:
        self._channel = typists.keys_channel(host)
        self._recorder = recorder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console-keys", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        with contextlib.suppress(redis.RedisError):
            bus.client().publish(self._channel, b"")  # what it waits for
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with bus.client().pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(self._channel)
                    while not self._stopping.is_set():
                        message = pubsub.get_message(timeout=_LISTEN_S)
                        if message is not None:
                            self._type(message["data"])
            # redis-py: ValueError when the connection is closed while it is read
            except (redis.RedisError, OSError, ValueError) as error:
                log.warning("Nothing can be typed on consoles, Redis is away: %s", error)
                self._stopping.wait(_RETRY_S)

    def _type(self, message: bytes) -> None:
        serial, _, keys = message.partition(b"\n")
        taken = self._recorder.write(serial.decode("ascii", "replace"), keys)
        if taken < len(keys):
            log.info("%s took %d of %d typed bytes", serial.decode(), taken, len(keys))


def start() -> None:
    """Begin recording consoles in this process, and typing on them."""
    global _recorder, _keys
    with _lock:
        if _recorder is None:
            _recorder = ConsoleRecorder(_keep)
            _recorder.start()
            _keys = Keys(settings.HOST_NAME, _recorder)
            _keys.start()


def stop() -> None:
    """Stop recording; what guests say meanwhile is lost, the guests are not."""
    global _recorder, _keys
    with _lock:
        if _keys is not None:
            _keys.stop()
        if _recorder is not None:
            _recorder.stop()
        _recorder = _keys = None


def follow(serial: str) -> None:
    """Record a guest's console from now on, if this process records."""
    if _recorder is not None:
        _recorder.add(serial, GuestFolder(guests.folder(serial)).console_socket)


def unfollow(serial: str) -> None:
    """Stop recording a guest's console."""
    if _recorder is not None:
        _recorder.remove(serial)
