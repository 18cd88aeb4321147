"""What can go wrong on the command line, as sentences."""

from __future__ import annotations

DONE, NOT_DONE, ASKED_WRONGLY = 0, 1, 2
UNPROCESSABLE = 422


class CliError(Exception):
    """What happened and what to do; `ends_with` is the command's status."""

    ends_with = NOT_DONE


class AskedWrongly(CliError):
    """What was asked cannot be, which only the fleet could tell."""

    ends_with = ASKED_WRONGLY


class Unreachable(CliError):
    """Nothing answers at the address; it may come back.

    `may_be_done` is True when the question was sent, so that only its answer may be missing.
    """

    def __init__(self, sentence: str, *, may_be_done: bool = False) -> None:
        super().__init__(sentence)
        self.may_be_done = may_be_done


class Refused(CliError):
    """The fleet answered with an error; `status` is the HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.ends_with = ASKED_WRONGLY if status == UNPROCESSABLE else NOT_DONE
