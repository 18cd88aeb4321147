"""What the kernel kills for want of memory is known to be that, and told once."""

from __future__ import annotations

import subprocess
import sys

from devices.host import endings, inventory
from devices.host.endings import OomWatch
from devices.host.guests import start_time
from devices.poller.guest import GuestRef
from devices.poller.watch import PidfdWatch
from devices.services import deaths
from tests.poller.conftest import until
from tests.poller.memory_group import memory_group

# it joins the group before it takes anything, and then more than the group may hold
_GREEDY = """
import sys
open(sys.argv[1], "w").write("0")
sys.stdin.readline()
held = b"x" * (512 << 20)
"""


def test_guests_the_kernel_kills_for_want_of_memory_say_so() -> None:
    causes: dict[str, str] = {}
    killed = OomWatch()
    watch = PidfdWatch(
        lambda ended: causes.update(deaths.causes(ended, killed.lately())),
        boot_id=inventory.boot_id(),
    )
    watch.start()
    with memory_group(64 << 20) as procs:
        guests = [
            subprocess.Popen([sys.executable, "-c", _GREEDY, str(procs)], stdin=subprocess.PIPE)
            for _ in range(3)
        ]
        try:
            for number, guest in enumerate(guests):
                started = start_time(guest.pid)
                assert started is not None
                watch.add([GuestRef(f"g{number}", number, inventory.boot_id(), guest.pid, started)])
            before = endings.oom_kills()
            for guest in guests:
                guest.communicate(b"\n")
            until(lambda: len(causes) == 3)
        finally:
            watch.stop()
            for guest in guests:
                guest.kill()
                guest.wait()
    assert endings.oom_kills() - before >= 3
    assert set(causes.values()) == {deaths.NO_MEMORY}
