from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.served import Served, served


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    """A running gateway with an empty fleet."""
    with served("fleetdash.gateway_asgi:application", arguments=["-v", "0"]) as server:
        yield server
