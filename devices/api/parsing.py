"""What a request's body may be: JSON, said to be JSON."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.parser import Parser

JSON = "application/json"


class JsonParser(Parser):
    """Refuses with 415 what says that it is something else."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The decoded body; raises HttpError 415, or ValueError when it is no JSON."""
        if request.content_type != JSON:
            said = (request.content_type or "nothing")[:40]
            raise HttpError(415, f"The body is to be {JSON}, and its Content-Type says {said}.")
        return json.loads(request.body, parse_constant=_no_number)


def _no_number(name: str) -> None:
    # Python reads NaN and Infinity, which JSON has not
    raise ValueError(f"{name} is not JSON")
