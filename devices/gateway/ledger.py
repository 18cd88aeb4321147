"""What the gateway writes and looks up: each kind gathered, the database in one thread."""

from __future__ import annotations

import asyncio
import time
from functools import cache

from channels.db import database_sync_to_async

from devices.gateway.gather import Gatherer
from devices.services import health, orders, presence, reporting
from devices.services.reporting import Report
from devices.services.traffic import Count

REPORT_WINDOW_S = 0.2
# a thousand devices beat 33 times a second: one flush takes the beats of two seconds
HEARD_WINDOW_S = 2.0
# a device opens its socket within 40 s of its report
SECRET_KEPT_S = 50.0
SECRETS_KEPT = 20_000


class Ledger:
    """One for each gateway process: reports and connections to the database, the rest to Redis."""

    def __init__(self) -> None:
        self._reports = Gatherer(self._write_reports, window_s=REPORT_WINDOW_S)
        self._connected = Gatherer(self._write_connected, window_s=HEARD_WINDOW_S)
        self._heard = Gatherer(self._write_heard, window_s=HEARD_WINDOW_S)
        self._taken = Gatherer(self._write_taken, window_s=REPORT_WINDOW_S)
        self._health: dict[str, health.Report] = {}
        self.traffic = Count()
        self._secrets: dict[str, tuple[str, float]] = {}

    async def secret_of(self, serial: str) -> str | None:
        """The secret of a device that may speak, at most 50 s old; None when there is none.

        Whoever asks, those that are starting are looked up with it: they are the next to ask.
        Raises django.db.Error when the database cannot say.
        """
        now_s = time.monotonic()
        kept = self._secrets.get(serial)
        if kept is not None and now_s - kept[1] < SECRET_KEPT_S:
            return kept[0]
        found: dict[str, str] = await database_sync_to_async(reporting.secrets_of)(serial)
        self._secrets.pop(serial, None)
        if len(self._secrets) >= SECRETS_KEPT:
            self._secrets.clear()
        self._secrets.update((each, (secret, now_s)) for each, secret in found.items())
        return found.get(serial)

    async def report(self, report: Report) -> None:
        """Write a device's report; returns when it is committed, raises what the database did."""
        await asyncio.shield(self._reports.add(report.serial, report))
        self.heard(report.serial)

    def connected(self, serial: str) -> None:
        """The device holds a connection."""
        self._connected.add(serial, None)

    def heard(self, serial: str) -> None:
        """The device was heard from just now."""
        self._heard.add(serial, time.time())

    def taken(self, serial: str) -> None:
        """The device was handed its newest order just now."""
        self._taken.add(serial, None)

    def health(self, serial: str, metrics: dict[str, float]) -> None:
        """What the device measured of itself; the newest and the last ones are kept in Redis."""
        self._health[serial] = health.report(time.time(), metrics)
        self.heard(serial)

    @staticmethod
    async def _write_reports(reports: dict[str, Report]) -> None:
        await database_sync_to_async(reporting.reported_in)(list(reports.values()))

    @staticmethod
    async def _write_connected(serials: dict[str, None]) -> None:
        await database_sync_to_async(reporting.connected)(list(serials))

    @staticmethod
    async def _write_taken(serials: dict[str, None]) -> None:
        await asyncio.to_thread(orders.note_taken, list(serials))

    async def _write_heard(self, heard: dict[str, float]) -> None:
        reports, self._health = self._health, {}
        # a thread of its own: Redis being away must not keep the database's thread
        await asyncio.to_thread(
            presence.renew, list(heard), max(heard.values()), reports, self.traffic.take()
        )


@cache
def ledger() -> Ledger:
    """This process's ledger."""
    return Ledger()
