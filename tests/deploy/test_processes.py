from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetdash.deploy import processes
from fleetdash.deploy.processes import DECLARED

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """docker-compose.yml as docker-compose itself understands it."""
    done = subprocess.run(
        ["docker-compose", "--file", str(CHECKOUT / "docker-compose.yml"), "config"],
        env={**os.environ, "FLEETDASH_DATABASE_PASSWORD": "only-for-this-test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return services


def test_only_worker_and_watchdog_keep_root() -> None:
    assert {each.name for each in DECLARED.values() if each.keeps_root} == {"worker", "watchdog"}


def test_the_gateway_listens_for_guests_only_where_they_have_a_network_of_their_own() -> None:
    gateway = DECLARED["gateway"]
    with_guests = processes.command(gateway, "python", {"gateway": 5, "guests": 6})
    assert with_guests[-5:-1] == ["-e", "fd:fileno=5", "-e", "fd:fileno=6"]
    without = processes.command(gateway, "python", {"gateway": 5})
    assert without == [word for word in with_guests if word != "fd:fileno=6"][:-2] + [without[-1]]
    assert without.count("-e") == 1


def test_redis_is_not_ours_to_run_when_another_is_given() -> None:
    assert "redis" in {each.name for each in processes.wanted(own_redis=True)}
    assert "redis" not in {each.name for each in processes.wanted(own_redis=False)}


def test_containers_run_the_processes_of_bin_up(composed: dict[str, Any]) -> None:
    declared = {each.name for each in DECLARED.values() if each.in_containers}
    assert set(composed) == declared | {"database", "prepare"}


@pytest.mark.parametrize("name", [each.name for each in DECLARED.values() if each.in_containers])
def test_a_container_starts_as_bin_up_starts_it(composed: dict[str, Any], name: str) -> None:
    assert composed[name]["command"] == processes.start_command("python", name)


def test_only_containers_that_need_it_are_privileged(composed: dict[str, Any]) -> None:
    privileged = {name for name, service in composed.items() if service.get("privileged")}
    assert privileged == {"prepare", "gateway", "worker"}
    ports = [port for service in composed.values() for port in service.get("ports", [])]
    assert [port.startswith("127.0.0.1:") for port in ports] == [True]
