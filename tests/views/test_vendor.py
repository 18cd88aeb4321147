from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "static"
VENDOR = STATIC / "vendor"
ENTRIES = json.loads((VENDOR / "manifest.json").read_text())


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"] for entry in ENTRIES])
def test_a_vendored_file_is_the_one_that_was_reviewed(entry: dict[str, str]) -> None:
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_every_vendored_file_is_in_the_manifest() -> None:
    files = {path.name for path in VENDOR.iterdir()} - {"manifest.json"}
    assert files == {entry["file"] for entry in ENTRIES}


def test_our_scripts_import_only_what_is_there() -> None:
    for script in (STATIC / "js").glob("*.js"):
        for line in script.read_text().splitlines():
            if line.startswith("import "):
                name = line.split('"')[1]
                assert name.startswith("./") and (script.parent / name).exists(), (script, name)
