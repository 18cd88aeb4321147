"""Who may watch, and whether they may act, as the socket's scope says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Access:
    """`may_act` is False for a wall's read-only link: it watches, and reads no console.

    `link` is the id of that link's token, which may be revoked while it watches. `admission` names
    a session: once it is published as revoked (`bus.publish_revoked`), the socket is closed.
    """

    may_act: bool
    link: int | None = None
    admission: str = ""


def by_session(key: str) -> str:
    """The admission of a logged-in session."""
    return f"session:{key}"


def access(scope: Mapping[str, Any]) -> Access | None:
    """What the one who opened the socket may do; None when nothing."""
    user = scope.get("user")
    if user is not None and user.is_authenticated:
        session = scope.get("session")
        return Access(may_act=True, admission=by_session(session.session_key if session else ""))
    link = scope.get("wall")
    if link is not None:
        return Access(may_act=False, link=link)
    return None
