from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fleetdash.deploy import ports
from fleetdash.deploy.errors import DeployError
from tests.api.served import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port this very process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_taken_port_is_told_with_its_holder_and_its_setting(settings: Any, taken: int) -> None:
    settings.PORT, settings.GATEWAY_PORT = taken, free_port()
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
    settings.PORT, settings.GATEWAY_PORT = taken, free_port()
    ports.check(ours=[os.getpid()])


def test_one_port_cannot_be_both(settings: Any) -> None:
    settings.PORT = settings.GATEWAY_PORT = free_port()
    with pytest.raises(DeployError, match="they must differ"):
        ports.check(ours=())


@pytest.mark.parametrize("address", ["192.0.2.1", "no..name"])
def test_an_address_this_machine_does_not_have_is_told_with_its_own_setting(
    settings: Any, address: str
) -> None:
    settings.BIND, settings.PORT, settings.GATEWAY_PORT = address, free_port(), free_port()
    with pytest.raises(DeployError, match=rf"on {address} cannot be opened: .*FLEETDASH_BIND\.$"):
        ports.check(ours=())


def test_a_port_one_may_not_open_is_told_with_the_ports_setting(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(host: str, port: int) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(ports, "listen", refuse)
    settings.PORT, settings.GATEWAY_PORT = 80, free_port()
    with pytest.raises(DeployError, match="Permission denied. See FLEETDASH_PORT"):
        ports.check(ours=())


@pytest.mark.parametrize(
    ("bind", "heard"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", True),
        ("::", True),
        ("127.0.0.2", False),
        ("::1", False),
        ("192.0.2.1", False),
    ],
)
def test_devices_that_call_the_loopback_need_a_gateway_that_hears_there(
    settings: Any, bind: str, heard: bool
) -> None:
    settings.GATEWAY_BIND = bind
    if heard:
        ports.check_loopback()
    else:
        with pytest.raises(DeployError, match=rf"FLEETDASH_GATEWAY_BIND=127.0.0.1.*not {bind}"):
            ports.check_loopback()


def test_free_ports_are_no_trouble_and_stay_free(settings: Any) -> None:
    settings.PORT, settings.GATEWAY_PORT = free_port(), free_port()
    ports.check(ours=())
    ports.check(ours=())
