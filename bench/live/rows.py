"""The rows of a made-up fleet, in a database of its own.

    python -m bench.live.rows DEVICES [page]

With `page` the files of the page are collected as well.
"""

from __future__ import annotations

import json
import secrets
import sys
from datetime import timedelta

import django

PASSWORD_BYTES = 9


def main() -> None:
    """Migrate, fill, and print how to get in: a session's cookie, a password, a wall's link."""
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django.utils import timezone

    from devices.models import Device, Firmware, Host, Token
    from devices.services import tokens
    from devices.states import State
    from fleetdash.deploy import static_files

    if "page" in sys.argv:
        static_files.collect(settings.STATIC_ROOT)
    call_command("migrate", interactive=False, verbosity=0)
    now = timezone.now()
    host = Host.objects.create(
        name=settings.HOST_NAME, architecture="x64", cores=2, memory_bytes=24 << 30,
        accelerators={"arm64": {"accelerator": "tcg"}},
    )
    firmware = Firmware.objects.create(
        architecture="arm64", version="0.0.0-simulated", uuid="simulated", sha256="0" * 64,
        size_bytes=1, imported_at=now,
    )  # fmt: skip
    Device.objects.bulk_create(
        (
            Device(
                serial=f"sim-{slot:06d}", slot=slot, host=host, firmware=firmware,
                start=Device.Start.WARM, state=State.ONLINE, state_since=now,
                secret=secrets.token_urlsafe(32), requested_at=now - timedelta(seconds=30),
                spawned_at=now, online_at=now,
            )
            for slot in range(int(sys.argv[1]))
        ),
        batch_size=1000,
    )  # fmt: skip
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user = User.objects.create_user("admin", password=password)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
    _, key = tokens.create(user, "the demo's wall", scope=Token.Scope.WALL)
    print(json.dumps({"cookie": cookie, "password": password, "wall": f"/wall?kiosk&key={key}"}))


if __name__ == "__main__":
    main()
