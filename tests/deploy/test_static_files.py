from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from fleetdash.deploy import static_files


def test_files_are_collected_once_and_again_when_one_changed(settings: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "page.css").write_text("a { color: red }")
    settings.STATICFILES_DIRS = [source]
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


def test_scripts_name_each_other_by_what_is_in_them_and_are_else_as_they_were_written(
    settings: Any, tmp_path: Path
) -> None:
    settings.STATIC_ROOT = tmp_path
    static_files.collect(tmp_path)
    sources = sorted((settings.BASE_DIR / "static/js").glob("*.js"))
    assert len(sources) > 40
    for source in sources:
        (final,) = tmp_path.glob(f"js/{source.stem}.????????????.js")
        text = final.read_text()
        named = re.findall(r'(?:from|import)\s*"(\./[^"]+)"', text)
        assert all((final.parent / each).exists() for each in named)
        assert all(re.search(r"\.[0-9a-f]{12}\.js$", each) for each in named)
        plain = re.sub(r"(\./[\w-]+)\.[0-9a-f]{12}\.js", r"\1.js", text)
        assert _tight(plain) == _tight(source.read_text())


def _tight(script: str) -> str:
    return re.sub(r"\s+", "", script)
