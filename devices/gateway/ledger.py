"""What the gateway writes and looks up: each kind gathered, the database in one thread."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import redis
from channels.db import database_sync_to_async

from devices.gateway.gather import Gatherer
from devices.services import bus, reporting
from devices.services.reporting import Report

log = logging.getLogger(__name__)

REPORT_WINDOW_S = 0.2
HEARD_WINDOW_S = 1.0
SECRET_KEPT_S = 10.0
SECRETS_KEPT = 20_000


class Ledger:
    """One for each gateway process: reports and connections to the database, the rest to Redis."""

    def __init__(self) -> None:
        self._reports = Gatherer(self._write_reports, window_s=REPORT_WINDOW_S)
        self._connected = Gatherer(self._write_connected, window_s=REPORT_WINDOW_S)
        self._heard = Gatherer(self._write_heard, window_s=HEARD_WINDOW_S)
        self._health = Gatherer(self._write_health, window_s=HEARD_WINDOW_S)
        self._secrets: dict[str, tuple[str, float]] = {}

    async def secret_of(self, serial: str) -> str | None:
        """The secret of a device that may speak, at most 10 s old; None when there is none.

        Raises django.db.Error when the database cannot say.
        """
        now_s = time.monotonic()
        kept = self._secrets.get(serial)
        if kept is not None and now_s - kept[1] < SECRET_KEPT_S:
            return kept[0]
        secret: str | None = await database_sync_to_async(reporting.secret_of)(serial)
        if secret is None:
            self._secrets.pop(serial, None)
        else:
            if len(self._secrets) >= SECRETS_KEPT:
                self._secrets.clear()
            self._secrets[serial] = (secret, now_s)
        return secret

    async def report(self, report: Report) -> None:
        """Write a device's report; returns when it is committed, raises what the database did."""
        await asyncio.shield(self._reports.add(report.serial, report))

    def connected(self, serial: str) -> None:
        """The device holds a connection."""
        self._connected.add(serial, None)

    def heard(self, serial: str) -> None:
        """The device was heard from just now."""
        self._heard.add(serial, time.time())

    def health(self, serial: str, metrics: dict[str, float]) -> None:
        """What the device measured of itself; the newest is kept in Redis."""
        self._health.add(serial, json.dumps({"at": time.time(), "metrics": metrics}).encode())

    @staticmethod
    async def _write_reports(reports: dict[str, Report]) -> None:
        await database_sync_to_async(reporting.reported_in)(list(reports.values()))

    @staticmethod
    async def _write_connected(serials: dict[str, None]) -> None:
        await database_sync_to_async(reporting.connected)(list(serials))

    @staticmethod
    async def _write_heard(heard: dict[str, float]) -> None:
        # a thread of its own: Redis being away must not keep the database's thread
        await asyncio.to_thread(bus.heard_from, list(heard), max(heard.values()))

    @staticmethod
    async def _write_health(health: dict[str, bytes]) -> None:
        await asyncio.to_thread(_keep_health, health)


def _keep_health(health: Mapping[Any, bytes]) -> None:
    try:
        bus.client().hset(bus.HEALTH, mapping=health)
    except redis.RedisError as error:
        log.warning("Redis is away, the health of %d devices is lost: %s", len(health), error)


@cache
def ledger() -> Ledger:
    """This process's ledger."""
    return Ledger()
