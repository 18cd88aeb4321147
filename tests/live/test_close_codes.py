"""Close codes as a browser meets them: through a real Daphne, which knows only a few by itself."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.api.served import Served, served

LOG_IN = """
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
user = User.objects.create_user("ada")
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
"""


def close_code(web: Served, cookie: str, said: str | None) -> int:
    """The code with which the server ends a live socket that said this, or nothing."""
    address = f"ws://127.0.0.1:{web.port}/live/?parts=cores"
    headers = {"Cookie": cookie, "Origin": web.url}
    with connect(address, additional_headers=headers) as browser:
        if said is not None:
            browser.send(said)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                browser.recv(timeout=20)
    assert closed.value.rcvd is not None, web.log()
    return closed.value.rcvd.code


def test_a_browser_is_told_whether_to_come_back() -> None:
    with served("fleetdash.asgi:application", FLEETDASH_LIVE_RECONNECT_S="2") as web:
        cookie = web.python(LOG_IN)
        assert close_code(web, cookie, "nonsense") == 1008
        assert close_code(web, cookie, "x" * 5000) == 1009
        # the one on which the page connects again by itself
        assert close_code(web, cookie, None) == 1012
