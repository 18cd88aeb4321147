from __future__ import annotations

import json
import os
from pathlib import Path

from devices.host import processes
from devices.qemu.process_identity import ProcessIdentity


def test_what_a_process_that_is_recorded_uses_is_read(tmp_path: Path) -> None:
    me = ProcessIdentity.of(os.getpid())
    record = {"name": "web", "pid": me.pid, "start_time": me.start_time}
    (tmp_path / "web.json").write_text(json.dumps(record))
    (found,) = processes.read(tmp_path)
    assert found.name == "web"
    assert found.rss_bytes > 1 << 20
    assert 0 < found.cpu_s < 36_000
    assert found.threads >= 1


def test_a_number_given_again_and_what_is_no_record_are_left_out(tmp_path: Path) -> None:
    other = {"name": "web", "pid": os.getpid(), "start_time": 1}
    (tmp_path / "web.json").write_text(json.dumps(other))
    (tmp_path / "gone.json").write_text(json.dumps({**other, "pid": 1 << 30}))
    (tmp_path / "torn.json").write_text('{"name": "we')
    (tmp_path / "list.json").write_text("[]")
    assert processes.read(tmp_path) == []
