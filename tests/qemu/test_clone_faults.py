from __future__ import annotations

import subprocess

from devices.qemu import clone


def test_a_process_that_was_waited_for_is_not_killed_by_its_number() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        child.pid = bystander.pid  # the number was given again
        clone._kill(child)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
