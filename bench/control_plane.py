"""What the control plane costs at a thousand devices, measured with stand-ins instead of guests.

    python -m bench.control_plane [--count 1000] [--seconds 60] [--hold]

Starts a fleet of its own with `bin/up`, fills it with `bench.stand_ins`, and takes it down again:
no fleet that people look at ever shows one of them. What guests themselves cost is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx
import websockets

from bench import processes
from bench.device_clients import DeviceClient, connect_all, report_all
from tests.fleet import Fleet, new_fleet, remove

if TYPE_CHECKING:
    from bench.stand_ins import StandIn

A_SECOND = 20.0
TEMPLATE_DEADLINE_S = 180.0
PARTS = "counts,capacity,hosts,operations,cores,wall"
ROUNDS = 20
DOWN_TRIES = 3


async def measure(fleet: Fleet, *, count: int, seconds: float, hold: bool) -> dict[str, Any]:
    """What that many stand-ins cost: reporting, connecting, idle, pages, removal."""
    from bench import stand_ins

    made = stand_ins.make(count, fleet.var / "guests")
    clients = [DeviceClient(each.serial, each.secret, fleet.gateway_port) for each in made]
    consoles = [await asyncio.start_unix_server(_silent, sock=each.console) for each in made]
    session = await logged_in(fleet)
    page = Page(fleet, session)
    tasks = [asyncio.create_task(page.watch())]
    try:
        waited_s: list[float] = []

        async def report() -> None:
            waited_s.extend(await report_all(clients, a_second=A_SECOND))

        reporting = await cost_of(fleet, report)
        tasks.append(asyncio.create_task(connect_all(clients, a_second=A_SECOND)))
        connecting = await cost_of(fleet, lambda: _connected(clients))
        result: dict[str, Any] = {
            "devices": count,
            "reporting": {**reporting, "slowest_answer_s": round(max(waited_s), 2)},
            "connecting": connecting,
        }
        await asyncio.sleep(10)
        while hold:
            print("held; its folder is", fleet.var, flush=True)
            await asyncio.sleep(seconds)
            result.update(await idle(fleet, page, seconds=seconds))
            print(json.dumps(result, indent=1), flush=True)
        result.update(await idle(fleet, page, seconds=seconds))
        result["pages_ms"] = await pages(fleet, session, made[count // 2].serial)
        result["removal"] = await cost_of(fleet, lambda: _removed(fleet, made))
        return result
    finally:
        for task in tasks:
            task.cancel()
        for server in consoles:
            server.close()
        await session.aclose()


async def idle(fleet: Fleet, page: Page, *, seconds: float) -> dict[str, Any]:
    """Per cent of one core of each process, and what the page was sent, with nothing happening."""
    page.counted()
    spent = await cost_of(fleet, lambda: asyncio.sleep(seconds))
    percent = {
        name: round(100 * cpu / spent["seconds"], 2) for name, cpu in spent["cpu_s"].items()
    }
    return {
        "idle_percent_of_a_core": percent,
        "idle_percent_in_all": round(sum(percent.values()), 2),
        "page_messages_a_second": round(page.counted() / spent["seconds"], 1),
        "pss_mib": {
            name: round(processes.cost(pid).pss_kib / 1024, 1)
            for name, pid in processes.recorded(fleet.var).items()
        },
    }


async def cost_of(fleet: Fleet, work: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """How long something takes, and the CPU seconds of each of our processes meanwhile."""
    ours = processes.recorded(fleet.var)
    before = {name: processes.cost(pid).cpu_s for name, pid in ours.items()}
    began = time.monotonic()
    await work()
    took_s = time.monotonic() - began
    cpu = {name: round(processes.cost(pid).cpu_s - before[name], 2) for name, pid in ours.items()}
    return {"seconds": round(took_s, 2), "cpu_s": cpu}


async def pages(fleet: Fleet, session: httpx.AsyncClient, serial: str) -> dict[str, Any]:
    """Milliseconds, p50 and the slowest, of what people open; a log-in has its own session."""

    async def log_in() -> None:
        await (await logged_in(fleet)).aclose()

    wanted: dict[str, Callable[[], Awaitable[object]]] = {"log-in": log_in}
    for path in (
        "/", "/devices/", "/devices/?q=fd-0005", "/devices/?state=online&page=9",
        f"/devices/{serial}/", "/api/v1/summary", "/api/v1/devices?limit=100",
    ):
        wanted[path] = lambda path=path: session.get(path)  # type: ignore[misc]
    found: dict[str, Any] = {}
    for name, work in wanted.items():
        took_ms = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await work()
            took_ms.append(1000 * (time.perf_counter() - began))
        took_ms.sort()
        found[name] = {"p50": round(took_ms[ROUNDS // 2], 1), "most": round(took_ms[-1], 1)}
    return found


async def logged_in(fleet: Fleet) -> httpx.AsyncClient:
    """A browser's session of the admin, cookies included."""
    client = httpx.AsyncClient(base_url=fleet.url, follow_redirects=True, timeout=60)
    form = (await client.get("/login/")).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token is not None, "the log-in page has no form"
    answer = await client.post(
        "/login/",
        data={
            "username": "admin", "password": fleet.admin_password,
            "csrfmiddlewaretoken": token[1],
        },
        headers={"Referer": fleet.url},
    )
    assert not answer.url.path.startswith("/login"), "the log-in was refused"
    return client


class Page:
    """The dashboard's live socket: takes everything, acknowledges everything."""

    def __init__(self, fleet: Fleet, session: httpx.AsyncClient) -> None:
        self._fleet = fleet
        self._cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
        self._messages = 0

    async def watch(self) -> None:
        """Watch until cancelled."""
        from devices.live import frames  # reads Django's settings, which are the fleet's

        address = f"ws://127.0.0.1:{self._fleet.port}/live/?parts={PARTS}"
        headers = {"Cookie": self._cookies, "Origin": self._fleet.url}
        async with websockets.connect(address, additional_headers=headers) as socket:
            async for message in socket:
                self._messages += 1
                if isinstance(message, bytes):
                    sequence = frames.decode_all(message)[-1].sequence
                else:
                    sequence = int(message.removeprefix("<!--").partition("-->")[0])
                await socket.send(sequence.to_bytes(4, "little"))

    def counted(self) -> int:
        """How many messages came since this was asked last."""
        messages, self._messages = self._messages, 0
        return messages


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def _connected(clients: list[DeviceClient]) -> None:
    until = time.monotonic() + len(clients) / A_SECOND + 60
    while not all(client.connected for client in clients):
        assert time.monotonic() < until, "not all devices could connect"
        await asyncio.sleep(0.1)


async def _removed(fleet: Fleet, made: list[StandIn]) -> None:
    await asyncio.to_thread(
        fleet.api, "POST", "operations", {"kind": "remove", "count": len(made)}
    )
    while any(each.identity.is_alive() for each in made):
        await asyncio.sleep(0.05)


async def _template(fleet: Fleet) -> None:
    until = time.monotonic() + TEMPLATE_DEADLINE_S
    while not await asyncio.to_thread(fleet.template_is_ready):
        assert time.monotonic() < until, "there is no template"
        await asyncio.sleep(0.5)


def run(*, count: int, seconds: float, hold: bool = False) -> dict[str, Any]:
    """A fleet, filled, measured, taken down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    fleet = new_fleet()
    # on a machine that others use, a thousand reports may take long
    fleet.more_environment["FLEETDASH_BOOT_DEADLINE_S"] = "3600"
    try:
        fleet.up()
        os.environ |= {
            name: value
            for name, value in fleet.environment().items()
            if name.startswith("FLEETDASH_")
        }
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
        import django

        django.setup()
        asyncio.run(_template(fleet))
        return asyncio.run(measure(fleet, count=count, seconds=seconds, hold=hold))
    finally:
        _take_down(fleet)


def _take_down(fleet: Fleet) -> None:
    for _ in range(DOWN_TRIES):
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            fleet.down()
            remove(fleet)
            return
    print(f"{fleet.var} could not be taken down; FLEETDASH_VAR={fleet.var} bin/down", flush=True)


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.control_plane", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hold", action="store_true", help="measure again and again until ^C")
    arguments = parser.parse_args()
    result = run(count=arguments.count, seconds=arguments.seconds, hold=arguments.hold)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

