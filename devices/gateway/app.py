"""The gateway's addresses: the report, the socket, and nothing else."""

from __future__ import annotations

from typing import Any

from devices.gateway.answer import Receive, Scope, Send, messages, say
from devices.gateway.consumer import PATH as SOCKET_PATH
from devices.gateway.consumer import DeviceConsumer
from devices.gateway.status import PATH as STATUS_PATH
from devices.gateway.status import status

_socket: Any = DeviceConsumer.as_asgi()
NOT_HERE = "There is nothing at this address; devices report at /api/status/<serial>."


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application devices talk to."""
    if scope["type"] == "http":
        if STATUS_PATH.fullmatch(scope["path"]):
            await status(scope, receive, send)
        elif scope["path"].rstrip("/") == SOCKET_PATH:
            await say(send, 426, "This address is a WebSocket.", [(b"Upgrade", b"websocket")])
        else:
            await say(send, 404, NOT_HERE)
    elif scope["type"] == "websocket":
        if scope["path"].rstrip("/") == SOCKET_PATH:
            await _socket(scope, receive, send)
        else:
            for message in messages(404, {"detail": NOT_HERE}, kind="websocket.http"):
                await send(message)
    else:
        raise ValueError(f"{scope['type']} is not spoken here")
