"""`POST /api/status/<serial>`: a device reports in, and is answered once that is written."""

from __future__ import annotations

import hmac
import json
import logging
import re
import time
from typing import Any

from django.db import Error as DatabaseError

from devices.gateway import orders
from devices.gateway.answer import Receive, Scope, Send, headers_of, messages, say
from devices.gateway.errors import Refused
from devices.gateway.ledger import ledger
from devices.gateway.spread import Spread
from devices.services.reporting import Report

log = logging.getLogger(__name__)

PATH = re.compile(r"/api/status/([^/]{1,64})")
BODY_BYTES = 4 * 1024
STARTS = ("cold", "warm")
SLOTS = ("a", "b")

_spread = Spread()


async def status(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of a report; the route has matched `PATH`."""
    if scope["method"] != "POST":
        await say(send, 405, "A device reports with POST.", [(b"Allow", b"POST")])
        return
    try:
        report = await _read(scope, receive)
        await ledger().report(report)
        orders.kept.booted(report)
    except Refused as refusal:
        await say(send, refusal.status, str(refusal))
    except Exception as error:
        # whatever it was, the device is to ask again and the gateway to go on
        if not isinstance(error, DatabaseError):
            log.exception("A report could not be taken")
        await say(
            send, 503, "The report could not be written; ask again.", [(b"Retry-After", b"1")]
        )
    else:
        within = b"%d" % _spread.within_ms(time.monotonic())
        headers = [(b"Socket-Within-Ms", within)]
        for message in messages(200, {"status": "online"}, headers):
            await send(message)


async def _read(scope: Scope, receive: Receive) -> Report:
    headers = headers_of(scope)
    matched = PATH.fullmatch(scope["path"])
    serial = matched[1] if matched else ""
    if "origin" in headers:
        raise Refused(403, "Devices report here; a browser page does not.")
    given = bearer(headers)
    body = await _body(receive)
    ledger().traffic.reported(len(body))
    secret = await ledger().secret_of(serial)
    if secret is None:
        raise Refused(404, "There is no device with this serial.")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise Refused(401, "The secret is not this device's.")
    return read_report(serial, body, time.time())


def bearer(headers: dict[str, str]) -> str:
    """The secret in `Authorization: Bearer …`, empty when there is none."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "The request ended early.")
        body += bytes(message.get("body", b""))
        if len(body) > BODY_BYTES:
            raise Refused(413, f"A report is at most {BODY_BYTES} bytes.")
        if not message.get("more_body", False):
            return body


def read_report(serial: str, body: bytes, at: float) -> Report:
    """The report in a request's body; raises Refused with 422 when it has not that form.

    `uuid` is checked and not kept.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(422, "The report is not JSON.") from error
    if not isinstance(said, dict):
        raise Refused(422, "The report is not a JSON object.")
    _text(said, "uuid")
    uptime = said.get("uptime_s", 0)
    if isinstance(uptime, bool) or not isinstance(uptime, int | float) or not 0 <= uptime < 1e10:
        raise Refused(422, "uptime_s is not a number of seconds.")
    return Report(
        serial=serial,
        version=_text(said, "version"),
        slot=_one_of(said, "slot", SLOTS),
        start=_one_of(said, "start", STARTS),
        at=at,
        uptime_s=float(uptime),
    )


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name, "")
    if not isinstance(value, str) or len(value) > 64 or not value.isprintable():
        raise Refused(422, f"{name} is not a text of at most 64 characters.")
    return value


def _one_of(said: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = _text(said, name)
    if value and value not in allowed:
        raise Refused(422, f"{name} is neither {' nor '.join(allowed)}.")
    return value
