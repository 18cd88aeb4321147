"""The OpenAPI document: what django-ninja makes, with what it cannot know put right."""

from __future__ import annotations

from typing import Any

from devices.api.problems import MEDIA_TYPE

# an operation's `openapi_extra` names the type of an answer that is no JSON with this
ANSWERS_WITH = "x-answers-with"
_PROBLEM = {"$ref": "#/components/schemas/ProblemOut"}
_JSON = "application/json"


def corrected(document: dict[str, Any]) -> None:
    """Say of every operation that it may answer with a problem, and with which types."""
    for methods in document["paths"].values():
        for operation in methods.values():
            _correct(operation)


def _correct(operation: dict[str, Any]) -> None:
    media_type = operation.pop(ANSWERS_WITH, None)
    responses: dict[Any, dict[str, Any]] = operation["responses"]
    for status, response in responses.items():
        content = response.get("content")
        if content is None or _JSON not in content:
            continue
        if str(status) >= "400":
            response["content"] = {MEDIA_TYPE: content[_JSON]}
        elif media_type:
            response["content"] = {media_type: content[_JSON]}
    responses["default"] = {
        "description": "An error, as a sentence",
        "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
    }
