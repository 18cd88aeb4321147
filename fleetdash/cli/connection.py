"""The HTTP client that a fleet is asked with."""

from __future__ import annotations

import os

import httpx

from fleetdash.cli.address import Address, no_address
from fleetdash.cli.errors import CliError

TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5.0


def connection(address: Address) -> httpx.Client:
    """A client for the API at this address.

    Certificates and proxies are the environment's, but for this machine's own address; raises
    CliError where those settings, or the address, are wrong.
    """
    try:
        url = httpx.URL(f"{address.url}/api/v1/")
    except (httpx.InvalidURL, ValueError):
        raise no_address(address.url) from None
    try:
        return httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {address.token}", "user-agent": "fleet"},
            timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=not address.is_loopback,
        )
    except OSError as error:
        file = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or ""
        raise CliError(
            f"The certificates in {file!r} cannot be read ({error.strerror or error}): correct "
            "SSL_CERT_FILE, or unset it."
        ) from None
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        raise CliError(
            f"The proxy that the environment names cannot be used ({error}): correct HTTP_PROXY, "
            "HTTPS_PROXY and ALL_PROXY, or unset them."
        ) from None
