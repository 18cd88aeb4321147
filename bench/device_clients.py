"""Many devices' sockets from one event loop: log on, join, heartbeat and health, as a device does.

What they say and when is the agent's (`guest/agent/src/fleetdash_channel.erl`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from devices.gateway import nh1

EVERY_S = 30.0
JITTER = 0.1
MASK = b"\x5a\xa5\x3c\xc3"
JOIN = {
    "device_api_version": "2.3.0", "fwup_version": "none", "nerves_fw_uuid": "u" * 36,
    "nerves_fw_version": "0.1.0", "nerves_fw_product": "fleetdash",
    "nerves_fw_platform": "qemu_aarch64", "nerves_fw_architecture": "arm64",
}


@dataclass
class DeviceClient:
    """One device that speaks until it is cancelled or closed; `replies` counts its heartbeats'."""

    serial: str
    secret: str
    port: int
    replies: int = 0
    connected: bool = False
    _ref: int = 0
    _writer: asyncio.StreamWriter | None = field(default=None, repr=False)

    async def report(self) -> float:
        """Report in over HTTP; seconds until the answer. Raises OSError when it is not 200."""
        began = time.perf_counter()
        body = json.dumps(
            {"version": "0.1.0", "uuid": "u" * 36, "slot": "a", "start": "warm", "uptime_s": 3}
        ).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            f"POST /api/status/{self.serial} HTTP/1.1\r\nHost: 10.0.2.2:4000\r\n"
            f"Authorization: Bearer {self.secret}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        answer = await reader.read()
        writer.close()
        if not answer.startswith(b"HTTP/1.1 200"):
            raise OSError(answer[:100].decode("latin-1"))
        return time.perf_counter() - began

    async def run(self) -> None:
        """Connect and speak until the other side closes."""
        now = int(time.time())
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        headers = {
            "Host": "10.0.2.2:4000", "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "x-nh-alg": nh1.ALGORITHM, "x-nh-key": self.serial, "x-nh-time": str(now),
            "x-nh-signature": nh1.sign(self.secret, self.serial, now),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._writer.write(
            f"GET /device-socket/websocket?vsn=2.0.0 HTTP/1.1\r\n{lines}\r\n".encode()
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101"):
            raise OSError(answer[:100].decode("latin-1"))
        self.connected = True
        self._send("device", "phx_join", JOIN)
        speaking = asyncio.create_task(self._speak())
        try:
            await self._listen(reader)
        finally:
            self.connected = False
            speaking.cancel()
            self._writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, length = await reader.readexactly(2)
                if length == 126:
                    (length,) = struct.unpack(">H", await reader.readexactly(2))
                text = await reader.readexactly(length)
                if first & 0x0F == 8:
                    return
                if b"extensions:get" in text:
                    self._send("extensions", "phx_join", {"health": "0.0.1"})
                self.replies += b'"phoenix"' in text

    async def _speak(self) -> None:
        await asyncio.sleep(random.uniform(0, EVERY_S))
        at = asyncio.get_running_loop().time()
        while True:
            self._send("phoenix", "heartbeat", {})
            metrics = {"load_1min": 0.0, "mem_used_mb": 33, "uptime_s": 60}
            self._send("extensions", "health:report", {"value": {"metrics": metrics}})
            at += EVERY_S * random.uniform(1 - JITTER, 1 + JITTER)
            await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))

    def _send(self, topic: str, event: str, payload: object) -> None:
        self._ref += 1
        reference = str(self._ref)
        text = json.dumps([reference, reference, topic, event, payload]).encode()
        length = len(text)
        head = struct.pack(">BB", 0x81, 0x80 | length) if length < 126 else struct.pack(
            ">BBH", 0x81, 0xFE, length
        )
        mask = (MASK * (length // 4 + 1))[:length]
        masked = (int.from_bytes(text, "big") ^ int.from_bytes(mask, "big")).to_bytes(length, "big")
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(head + MASK + masked)


async def report_all(clients: Sequence[DeviceClient], *, a_second: float) -> list[float]:
    """Have them report at that rate; how long each waited for its answer, in seconds."""
    waiting = []
    for client in clients:
        waiting.append(asyncio.create_task(client.report()))
        await asyncio.sleep(1 / a_second)
    return list(await asyncio.gather(*waiting))


async def connect_all(clients: Sequence[DeviceClient], *, a_second: float) -> None:
    """Connect them at that rate and keep them connected; returns when all have ended."""
    tasks = []
    for client in clients:
        tasks.append(asyncio.create_task(client.run()))
        await asyncio.sleep(1 / a_second)
    await asyncio.gather(*tasks, return_exceptions=True)
