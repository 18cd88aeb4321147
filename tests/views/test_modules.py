from __future__ import annotations

from pathlib import Path
from typing import Any

from devices.templatetags.modules import imported, module_preloads


def test_every_module_that_is_needed_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text('import "./b.js";\nimport { c } from "./c.js";\n')
    (tmp_path / "b.js").write_text('import {\n  c,\n} from "./c.js";\nexport * from "./d.js";\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    (tmp_path / "d.js").write_text('import { c } from "./c.js";\n')
    (tmp_path / "unused.js").write_text("")
    assert imported(tmp_path, "main.js") == ("b.js", "c.js", "d.js")


def test_the_page_names_all_modules_there_are_but_those_that_a_page_loads_itself(
    settings: Any, tmp_path: Path
) -> None:
    pages = "".join(p.read_text() for p in (settings.BASE_DIR / "templates").rglob("*.html"))
    scripts = settings.BASE_DIR / "static/js"
    there = {path.name for path in scripts.glob("*.js") if f"js/{path.name}" not in pages}
    assert there <= set(imported(scripts, "main.js"))
    settings.STATIC_ROOT = settings.BASE_DIR / "static"
    assert '<link rel="modulepreload" href="/static/js/bus' in module_preloads()
    settings.STATIC_ROOT = tmp_path  # nothing was collected
    assert module_preloads() == ""
