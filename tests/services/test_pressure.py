"""A host whose memory another process takes: refused, slowed down, and nothing is killed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from devices.errors import DoesNotFit
from devices.host import cgroup, endings, memory
from devices.host.cpu import CoreSampler
from devices.host.sample import HostSampler
from devices.models import Device
from devices.services import bus, launching, operations, room
from tests.hog import hog
from tests.rows import a_firmware, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

MIB = 1 << 20
LIMIT = cgroup.memory_limit()


def look() -> int:
    """Publish how this machine really feels; gives its free memory in MiB."""
    with CoreSampler() as cores:
        sample = HostSampler().sample([cores.sample()])
    bus.publish_host_sample("here", sample.to_json())
    return sample.memory.available_bytes // MIB


def test_a_host_whose_memory_another_takes_refuses_and_waits_and_kills_nothing(
    settings: Any, tmp_path: Path
) -> None:
    settings.VAR_DIR, settings.HOST_NAME, settings.CLONE_COST_MIB = tmp_path, "here", 16
    host = a_host("here")
    a_firmware()
    bus.keep_template_status("here", {"state": "ready"})
    look()
    killed = endings.oom_kills()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        assert room.room(host, "warm", 2.0) > 0
        operation = operations.request_add(count=20, actor=None)
        with hog(2.5):
            # as if that had taken all but the reserve; others of this machine take and give too
            settings.MEMORY_RESERVE_MIB = memory.read(limit=LIMIT).available_bytes // MIB + 500
            # even before the poller has looked again
            assert room.room(host, "warm", 2.0) == 0
            look()
            with pytest.raises(DoesNotFit, match="100 more devices do not fit: 0 more fit now"):
                operations.request_add(count=100, actor=None)
            launching.launch("here")
            assert operations.get(operation.id).held.startswith("waits for memory")
            assert Device.objects.filter(state="requested").count() == 20
        look()
        assert room.room(host, "warm", 2.0) > 0
        assert "waits" not in operations.get(operation.id).held
        operations.cancel(operation.id, None)
        assert bystander.poll() is None
        assert endings.oom_kills() == killed
    finally:
        bystander.kill()
        bystander.wait()
