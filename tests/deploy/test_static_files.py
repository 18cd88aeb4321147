from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fleetdash.deploy import static_files


def test_files_are_collected_once_and_again_when_one_changed(settings: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "page.css").write_text("a { color: red }")
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = target
    static_files.collect(target)
    made = (target / "page.css").stat().st_mtime_ns
    assert list(target.glob("page.*.css"))
    static_files.collect(target)
    assert (target / "page.css").stat().st_mtime_ns == made
    time.sleep(0.01)
    (source / "page.css").write_text("a { color: blue }")
    static_files.collect(target)
    assert (target / "page.css").read_text() == "a { color: blue }"
    assert len(list(target.glob("page.*.css"))) == 1
