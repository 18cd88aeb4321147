"""Links that let a screen watch the wall: who comes with one, and whether it still works."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings

from devices.services import tokens

# a link that is revoked goes dark this much later, at most
CHECK_S = 3.0

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[Any]]

_known: dict[int, tuple[float, bool]] = {}


async def still_opens(token_id: int) -> bool:
    """Whether the link still works; asked of the database once for all screens that use it."""
    now = time.monotonic()
    seen, opens = _known.get(token_id, (-CHECK_S, False))
    if now - seen >= CHECK_S:
        _known[token_id] = (now, opens)  # the others need not ask meanwhile
        opens = await database_sync_to_async(tokens.opens_wall)(token_id)
        _known[token_id] = (now, opens)
    return opens


class WallLinks:
    """Puts the id of the link's token into the scope as `wall`, when the cookie holds one.

    Stands behind what reads cookies, before the consumer.
    """

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> Any:
        key = scope.get("cookies", {}).get(settings.WALL_COOKIE_NAME)
        if key:
            found = await database_sync_to_async(tokens.wall)(key)
            if found is not None:
                _known[found] = (time.monotonic(), True)
                scope = {**scope, "wall": found}
        return await self._inner(scope, receive, send)
