"""What a device can do wrong, as sentences."""

from __future__ import annotations


class GatewayError(Exception):
    """Something a device said that the gateway does not accept."""


class BadMessage(GatewayError):
    """A message that is not of the protocol's form."""


class Refused(GatewayError):
    """A request that is answered with an HTTP error; `status` is the fitting one."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
