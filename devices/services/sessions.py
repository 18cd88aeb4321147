"""Whether somebody who logged in is still let in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    load_backend,
)
from django.utils.crypto import constant_time_compare


def holds(key: str) -> bool:
    """Whether the session of this key still lets its user in.

    It does until it is ended or expires, the user's password is changed or the user is deactivated.
    Changes nothing, where `django.contrib.auth.get_user` ends a session that holds no more.
    """
    if not key:
        return False
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore(key)
    said: dict[str, Any] = store.load()
    if said.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    user: Any = load_backend(said[BACKEND_SESSION_KEY]).get_user(said.get(SESSION_KEY))
    if user is None:
        return False
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(said.get(HASH_SESSION_KEY, ""), each) for each in hashes)
