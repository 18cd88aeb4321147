"""Makes the tables and one online device whose guest is a given process; run as a script."""

from __future__ import annotations

import sys

import django


def main(pid: int) -> None:
    django.setup()

    from django.conf import settings
    from django.core.management import call_command

    from devices.host import inventory
    from devices.host.guests import start_time
    from tests import rows

    call_command("migrate", verbosity=0)
    rows.a_device(
        rows.a_host(settings.HOST_NAME), slot=5, serial="02fd00000001",
        boot_id=inventory.boot_id(), pid=pid, start_time=start_time(pid),
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]))
