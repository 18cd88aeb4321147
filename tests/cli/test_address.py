from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetdash.cli import address
from fleetdash.cli.errors import CliError

LEFT = {"url": "http://127.0.0.1:8000/", "token": "fdt_left"}


@pytest.fixture
def var(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "cli.json").write_text(json.dumps(LEFT))
    return tmp_path


def test_what_bin_up_left_is_found(var: Path) -> None:
    found = address.find({"FLEETDASH_VAR": str(var)})
    assert found == address.Address("http://127.0.0.1:8000", "fdt_left")
    assert found.is_loopback


def test_the_environment_wins(var: Path) -> None:
    given = {
        "FLEETDASH_VAR": str(var),
        "FLEETDASH_URL": "https://fleet.example/",
        "FLEETDASH_TOKEN": "fdt_mine",
    }
    found = address.find(given)
    assert found == address.Address("https://fleet.example", "fdt_mine")
    assert not found.is_loopback
    del given["FLEETDASH_URL"]
    assert address.find(given) == address.Address("http://127.0.0.1:8000", "fdt_mine")


def test_the_token_that_was_left_is_sent_nowhere_else(var: Path) -> None:
    here = {"FLEETDASH_VAR": str(var), "FLEETDASH_URL": "http://127.0.0.1:8000"}
    assert address.find(here).token == "fdt_left"
    with pytest.raises(CliError, match="FLEETDASH_TOKEN is missing"):
        address.find({**here, "FLEETDASH_URL": "https://elsewhere.example"})


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000", "ftp://x", "http://", "nonsense",
        "http://[::1:8000", "http://host:80a", "http://host:99999",
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", ["x", ""])
def test_a_wrong_address_is_said(url: str, token: str) -> None:
    with pytest.raises(CliError, match="is not an address"):
        address.find({"FLEETDASH_URL": url, "FLEETDASH_TOKEN": token})


def test_without_a_fleet_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="run bin/up first"):
        address.find({"FLEETDASH_VAR": str(tmp_path)})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 5, "token": "x"}', "\xff"])
def test_a_damaged_file_is_said(var: Path, content: str) -> None:
    (var / "secrets" / "cli.json").write_text(content)
    with pytest.raises(CliError):
        address.find({"FLEETDASH_VAR": str(var)})
