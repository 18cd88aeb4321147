from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
FOLDERS = (STATIC / "vendor", ROOT / "tests" / "browser" / "vendor")
ENTRIES = [
    (folder, entry)
    for folder in FOLDERS
    for entry in json.loads((folder / "manifest.json").read_text())
]


@pytest.mark.parametrize(("folder", "entry"), ENTRIES, ids=[e["file"] for _, e in ENTRIES])
def test_a_vendored_file_is_the_one_that_was_reviewed(folder: Path, entry: dict[str, str]) -> None:
    assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_every_vendored_file_is_in_a_manifest() -> None:
    files = {path for folder in FOLDERS for path in folder.iterdir()}
    named = {folder / entry["file"] for folder, entry in ENTRIES}
    assert files - {folder / "manifest.json" for folder in FOLDERS} == named


def test_our_scripts_import_only_what_is_there() -> None:
    for script in (STATIC / "js").glob("*.js"):
        for line in script.read_text().splitlines():
            if line.startswith("import "):
                name = line.split('"')[1]
                assert name.startswith("./") and (script.parent / name).exists(), (script, name)
