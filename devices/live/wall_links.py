"""Links that let a screen watch the wall: who comes with one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings

from devices.services import tokens

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[Any]]


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
                scope = {**scope, "wall": found}
        return await self._inner(scope, receive, send)
