from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fleetdash.deploy import ports
from fleetdash.deploy.errors import DeployError
from tests.fleet import a_free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port this very process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_taken_port_is_told_with_its_holder_and_its_setting(settings: Any, taken: int) -> None:
    settings.PORT, settings.GATEWAY_PORT = taken, a_free_port()
    with pytest.raises(DeployError) as raised:
        ports.check(ours=())
    sentence = str(raised.value)
    assert f"Port {taken} on 127.0.0.1 is taken by" in sentence
    assert f"(process {os.getpid()})" in sentence
    assert "FLEETDASH_PORT=<port>" in sentence
    assert "GATEWAY" not in sentence


def test_both_ports_are_told_at_once(settings: Any, taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings.PORT, settings.GATEWAY_PORT = taken, other.getsockname()[1]
        with pytest.raises(DeployError) as raised:
            ports.check(ours=())
    assert len(str(raised.value).splitlines()) == 2


def test_a_port_held_by_a_process_that_will_be_replaced_is_free(settings: Any, taken: int) -> None:
    settings.PORT, settings.GATEWAY_PORT = taken, a_free_port()
    ports.check(ours=[os.getpid()])


def test_one_port_cannot_be_both(settings: Any) -> None:
    settings.PORT = settings.GATEWAY_PORT = a_free_port()
    with pytest.raises(DeployError, match="they must differ"):
        ports.check(ours=())


def test_free_ports_are_no_trouble_and_stay_free(settings: Any) -> None:
    settings.PORT, settings.GATEWAY_PORT = a_free_port(), a_free_port()
    ports.check(ours=())
    ports.check(ours=())
