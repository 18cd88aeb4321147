from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.served import Served, served


@pytest.fixture(scope="package")
def gateway() -> Iterator[Served]:
    """A running gateway; each module gives its devices serials of their own."""
    with served("fleetdash.gateway_asgi:application", arguments=["-v", "0"]) as server:
        yield server
