"""The browser's socket: checks who it is, passes messages between it and the hub."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from devices.live import fragments, hub
from devices.live.access import access
from devices.live.board import CORES, WALL
from devices.live.keyboard import WORDS as KEYBOARD_WORDS
from devices.live.keyboard import Keyboard
from devices.live.lines import DirectLine, QueuedLine
from devices.live.viewer import Viewer
from fleetdash import direct

KNOWN_PARTS = fragments.PARTS | {fragments.PROGRESS, fragments.NOTICES, CORES, WALL}
SERIAL = re.compile(r"[A-Za-z0-9_-]{0,16}")
MOST_MESSAGE_CHARACTERS = 4096
ACK_BYTES = 4
# what any browser may say; none of it changes the fleet. Who may act and looks at a console may say
# what `devices/live/keyboard.py` takes, too.
WORDS = frozenset({"ack", "hidden", "ping", "rows", "wall"})
LINK_WORDS = WORDS - {"rows"}
# a page connects again now and then, spread so that not all return at once
RECONNECT_S = settings.LIVE_RECONNECT_S

SERVICE_RESTART = 1012  # the htmx ws extension reconnects on this one (RFC 6455 registry)
POLICY_VIOLATION = 1008
TOO_BIG = 1009


# Channels carries no types
_Socket: Any = AsyncWebsocketConsumer


def same_origin(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the page that asks came from the address it asks, port included.

    Cookies do not tell ports apart, so another server on the same machine would pass otherwise.
    """
    found = dict(headers)
    origin = found.get(b"origin", b"").decode("latin-1")
    host = found.get(b"host", b"").decode("latin-1")
    return (bool(host) and urlsplit(origin).netloc == host) or (
        origin in settings.CSRF_TRUSTED_ORIGINS
    )


class Nowhere(_Socket):  # type: ignore[misc]
    """Refuses a socket to an address that has none."""

    async def connect(self) -> None:
        """Refuse with 403."""
        await self.close()


class LiveConsumer(_Socket):  # type: ignore[misc]
    """Text to the browser is HTML that replaces elements by id, binary is `devices.live.frames`.

    From the browser: an acknowledgement as four bytes (u32, little-endian) or as
    `{"ack": sequence}`; `{"hidden": bool}`, `{"rows": [slots]}`, `{"wall": "snapshot"}`,
    `{"ping": 1}`, and of the console `{"typing": name}` and `{"keys": text}`. The query names what
    is shown: `parts=counts,cores&console=<serial>&device=<serial>`.
    """

    viewer: Viewer | None = None
    keyboard: Keyboard | None = None
    words = LINK_WORDS
    renewal: asyncio.TimerHandle | None = None
    dismissal: asyncio.Task[None] | None = None
    line: DirectLine | QueuedLine | None = None

    # Channels looks for stale database connections before every message, in a thread; here are
    # several messages a second from each browser, and no database
    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand a message of ASGI to its method."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Accept who may watch, from a page of ours; refuse others with 403."""
        allowed = access(self.scope)
        if allowed is None or not same_origin(self.scope["headers"]):
            await self._close()
            return
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        parts = frozenset(",".join(query.get("parts", [])).split(",")) & KNOWN_PARTS
        serial, device = (query.get(name, [""])[0] for name in ("console", "device"))
        strange = not (SERIAL.fullmatch(serial) and SERIAL.fullmatch(device))
        if strange or ((serial or device) and not allowed.may_act):
            await self._close()
            return
        if not allowed.may_act:
            parts -= {fragments.OPERATIONS}  # those with buttons
        self.words = WORDS if allowed.may_act else LINK_WORDS
        await self.accept()
        if parts & fragments.ABOUT_OPERATIONS:
            parts |= {fragments.PROGRESS}
        if fragments.CAPACITY in parts:
            parts |= {fragments.NOTICES}
        if serial:
            parts |= {fragments.typist_part(serial)}
        if device:
            parts |= {fragments.DEVICE + device}
        viewer = Viewer(parts, fragments.row_state, serial)
        if serial:
            self.words = WORDS | KEYBOARD_WORDS
            self.keyboard = Keyboard(serial, self.scope["user"], self._tell)
        self.line = await self._line(viewer)
        self.viewer = viewer
        self.renewal = asyncio.get_running_loop().call_later(
            RECONNECT_S * random.uniform(0.9, 1.1), self._dismiss, SERVICE_RESTART
        )
        hub.current().join(
            viewer, self.line, admission=allowed.admission, dismiss=self._dismiss
        )

    def _tell(self, sentence: str) -> None:
        if self.viewer is not None:
            self.viewer.tell(fragments.typing_word(sentence))
            hub.current().feed(self.viewer)

    def _dismiss(self, code: int = POLICY_VIOLATION) -> None:
        self.dismissal = asyncio.create_task(self._close(code))

    async def _line(self, viewer: Viewer) -> DirectLine | QueuedLine:
        if direct.EXTENSION in self.scope.get("extensions", {}):
            current = hub.current()
            line = DirectLine(lambda sequence: current.acknowledged(viewer, sequence))
            await self.base_send({"type": direct.OPEN, "line": line})
            if line.is_open:
                return line
        return QueuedLine(self._send)

    async def _send(self, content: str | bytes) -> None:
        if isinstance(content, str):
            await self.send(text_data=content)
        else:
            await self.send(bytes_data=content)

    async def _close(self, code: int | None = None) -> None:
        await self.close(code=code)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Take a message; one that makes no sense ends the connection."""
        if self.viewer is None:
            return
        if bytes_data is not None and len(bytes_data) == ACK_BYTES:
            hub.current().acknowledged(self.viewer, int.from_bytes(bytes_data, "little"))
            return
        if text_data is None or len(text_data) > MOST_MESSAGE_CHARACTERS:
            await self._close(TOO_BIG)
            return
        try:
            message = json.loads(text_data)
            self._take(self.viewer, message)
            if self.keyboard is not None:
                await self.keyboard.take(message)
        except (ValueError, TypeError, AttributeError, RecursionError):
            await self._close(POLICY_VIOLATION)
            return
        hub.current().feed(self.viewer)

    def _take(self, viewer: Viewer, message: Any) -> None:
        if not isinstance(message, dict) or not message.keys() <= self.words:
            raise TypeError(f"a message is an object of {sorted(self.words)}")
        if "ack" in message:
            viewer.acknowledge(int(message["ack"]))
        if "hidden" in message:
            viewer.hide(bool(message["hidden"]))
        if "rows" in message:
            viewer.show_rows(int(slot) for slot in message["rows"])
        if "wall" in message:
            viewer.forget_wall()
        if "ping" in message:
            viewer.answer()

    async def disconnect(self, code: int) -> None:
        """Forget the browser; that its keyboard cannot be put away keeps nothing else."""
        if self.renewal is not None:
            self.renewal.cancel()
        if self.viewer is not None:
            hub.current().leave(self.viewer)
        try:
            if self.keyboard is not None:
                await self.keyboard.end("its page was left")
        finally:
            if isinstance(self.line, QueuedLine):
                await self.line.close()
