"""What can go wrong on the command line, as sentences."""

from __future__ import annotations


class CliError(Exception):
    """What happened and what to do; the command ends with status 1."""


class Unreachable(CliError):
    """Nothing answers at the address; it may come back."""


class Refused(CliError):
    """The fleet answered with an error; `status` is the HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
