"""Asks a running qemu something over its QMP socket (docs/interop/qmp-spec.txt).

The one place that knows the `qemu.qmp` library, which is asynchronous.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from qemu.qmp import ConnectError, ExecuteError, QMPClient, QMPError

from devices.qemu.errors import QmpFailed
from devices.qemu.unix_socket import short_address

TIMEOUT_S = 5.0
_AT_ONCE = 64
_RETRY_S = 0.1

# What goes wrong is raised as QmpFailed; the library would log it as an error as well
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)


async def execute_async(
    qmp_socket: Path,
    command: str,
    arguments: Mapping[str, object] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> object:
    """The answer to one command; raises QmpFailed with qemu's own words, or after the time."""
    client: QMPClient | None = None
    try:
        async with asyncio.timeout(timeout_s):
            client = await _connected(qmp_socket)
            return await client.execute(command, dict(arguments) if arguments else None)
    except TimeoutError:
        raise QmpFailed(
            f"qemu did not answer {command} on {qmp_socket} within {timeout_s:g} s."
        ) from None
    except ExecuteError as error:
        raise QmpFailed(f"qemu refused {command} on {qmp_socket}: {error}") from error
    except (QMPError, OSError) as error:
        raise QmpFailed(f"qemu could not be asked {command} on {qmp_socket}: {error}") from error
    finally:
        if client is not None:
            await _disconnect(client)


async def _connected(qmp_socket: Path) -> QMPClient:
    """A client that has agreed with qemu; no command is sent yet, so a lost try is made again."""
    for last in (False, True):
        client = QMPClient("fleetdash")
        client.logger.setLevel(logging.CRITICAL)
        try:
            with short_address(qmp_socket) as address:
                await client.connect(address)
            return client
        except BaseException as error:
            await _disconnect(client)
            gone = isinstance(getattr(error, "exc", None), FileNotFoundError)
            if last or gone or not isinstance(error, ConnectError):
                raise
        await asyncio.sleep(_RETRY_S)
    raise AssertionError("not reached")


async def _disconnect(client: QMPClient) -> None:
    with contextlib.suppress(QMPError, OSError, EOFError):
        await client.disconnect()


async def execute_many_async(
    qmp_sockets: Mapping[str, Path],
    command: str,
    arguments: Mapping[str, object] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    at_once: int = _AT_ONCE,
) -> dict[str, object]:
    """The answer of each guest by serial; where one cannot be asked, the QmpFailed itself."""
    turn = asyncio.Semaphore(at_once)

    async def ask(path: Path) -> object:
        async with turn:
            try:
                return await execute_async(path, command, arguments, timeout_s=timeout_s)
            except QmpFailed as error:
                return error

    answers = await asyncio.gather(*(ask(path) for path in qmp_sockets.values()))
    return dict(zip(qmp_sockets, answers, strict=True))


def execute(
    qmp_socket: Path,
    command: str,
    arguments: Mapping[str, object] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> object:
    """`execute_async` for a thread without an event loop."""
    return asyncio.run(execute_async(qmp_socket, command, arguments, timeout_s=timeout_s))


def execute_many(
    qmp_sockets: Mapping[str, Path],
    command: str,
    arguments: Mapping[str, object] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, object]:
    """`execute_many_async` for a thread without an event loop."""
    return asyncio.run(execute_many_async(qmp_sockets, command, arguments, timeout_s=timeout_s))


def query_status(qmp_socket: Path, *, timeout_s: float = TIMEOUT_S) -> str:
    """The machine's run state, such as `running` or `paused` (qapi/run-state.json)."""
    answer = execute(qmp_socket, "query-status", timeout_s=timeout_s)
    if not isinstance(answer, dict) or not isinstance(answer.get("status"), str):
        raise QmpFailed(f"qemu answered query-status on {qmp_socket} with {answer!r}.")
    return str(answer["status"])
