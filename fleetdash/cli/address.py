"""Where the fleet is and with which token: from the environment, else what bin/up left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fleetdash.cli.errors import CliError

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Address:
    """The address of the web process and a token for it."""

    url: str
    token: str

    @property
    def is_loopback(self) -> bool:
        """Whether the address is this machine's own, where no proxy belongs in between."""
        return urlsplit(self.url).hostname in {"localhost", "127.0.0.1", "::1"}


def find(environment: Mapping[str, str]) -> Address:
    """The fleet's address and token; raises CliError saying what is missing.

    `FLEETDASH_URL` and `FLEETDASH_TOKEN` win over `secrets/cli.json` of the var folder. The token
    of that file is sent to no other address than the file's own.
    """
    url = environment.get("FLEETDASH_URL", "").rstrip("/")
    token = environment.get("FLEETDASH_TOKEN", "")
    if url and token:
        return _checked(url, token)
    file = Path(environment.get("FLEETDASH_VAR") or CHECKOUT / "var") / "secrets" / "cli.json"
    if url and not _is_address(url):
        raise no_address(url)
    left = _read(file)
    if url and url != left.url:
        raise CliError(
            f"FLEETDASH_TOKEN is missing: {url} needs a token, which its page makes under Tokens."
        )
    return Address(left.url, token or left.token)


def no_address(url: str) -> CliError:
    """What is said of something that cannot be an address."""
    return CliError(f"{url!r} is not an address such as http://127.0.0.1:8000.")


def _checked(url: str, token: str) -> Address:
    if not _is_address(url):
        raise no_address(url)
    if not token.isascii() or not token.isprintable():
        raise CliError("The token has characters that no token has; copy it again.")
    return Address(url, token)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an end, a port that is no number
        return False


def _read(file: Path) -> Address:
    try:
        left = json.loads(file.read_text())
        return _checked(str(left["url"]).rstrip("/"), str(left["token"]))
    except (FileNotFoundError, NotADirectoryError):
        raise CliError(
            "No fleet was found on this machine: run bin/up first, or set FLEETDASH_URL and "
            "FLEETDASH_TOKEN."
        ) from None
    except PermissionError:
        raise CliError(
            f"{file} may be read by root only: use sudo, or set FLEETDASH_URL and FLEETDASH_TOKEN "
            "to a token of your own."
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise CliError(f"{file} cannot be understood; bin/up writes it anew.") from None
