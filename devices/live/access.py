"""Who may watch, and whether they may act, as the socket's scope says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LINK, SESSION = "link", "session"


@dataclass(frozen=True)
class Access:
    """`may_act` is False for a wall's read-only link: it watches, and reads no console.

    `admission` names the session or link; empty for one that has neither and so cannot end. The
    socket is closed once that is published as revoked (`bus.publish_revoked`), or is found to hold
    no more (`devices.live.admissions`).
    """

    may_act: bool
    admission: str


def by_session(key: str) -> str:
    """The admission of a logged-in session."""
    return f"{SESSION}:{key}"


def by_link(token_id: int) -> str:
    """The admission of a link to the wall, by its token."""
    return f"{LINK}:{token_id}"


def access(scope: Mapping[str, Any]) -> Access | None:
    """What the one who opened the socket may do; None when nothing."""
    user = scope.get("user")
    if user is not None and user.is_authenticated:
        session = scope.get("session")
        return Access(may_act=True, admission=by_session(session.session_key) if session else "")
    link = scope.get("wall")
    if link is not None:
        return Access(may_act=False, admission=by_link(link))
    return None
