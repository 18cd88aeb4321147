"""The API's documentation for people: a page made of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

_JSON = "application/json"


class Reference(DocsBase):
    """Everything on one page, for every reader: no script, nothing hidden."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """The page."""
        document = api.get_openapi_schema()
        context = {
            "here": "api",
            "description": document["info"]["description"].split("\n\n"),
            "document": self.get_openapi_url(api, kwargs),
            "parts": parts(document),
            "shapes": shapes(document),
        }
        return render(request, "api_reference.html", context)


def parts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the API, each with its operations, in the order in which they were added."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append(_operation(path, method, operation))
    return [{"name": name, "operations": operations} for name, operations in found.items()]


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", [])
    query = {each["name"] for each in parameters if each["in"] == "query"}
    body = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description", "").split("\n\n"),
        "parameters": [_parameter(each) for each in parameters],
        "takes_query": bool(query),
        "body": [type_of(each["schema"]) for each in body.values()],
        "answers": [_answer(status, each) for status, each in operation["responses"].items()],
    }


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = parameter["schema"]
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "type": type_of(schema)["words"],
        "needed": parameter.get("required", False),
        "text": parameter.get("description") or schema.get("description", ""),
    }


def _answer(status: Any, response: dict[str, Any]) -> dict[str, Any]:
    content = response.get("content", {})
    return {
        "status": "any other" if status == "default" else status,
        "types": [
            {**type_of(each["schema"]), "media_type": "" if media == _JSON else media}
            for media, each in content.items()
        ],
    }


def shapes(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The shapes that bodies and answers have, by name."""
    return [
        {
            "name": name,
            "text": schema.get("description", ""),
            "fields": [
                {
                    "name": field,
                    **type_of(of),
                    "needed": field in schema.get("required", ()),
                    "text": of.get("description", ""),
                }
                for field, of in schema.get("properties", {}).items()
            ],
            "values": schema.get("enum", []),
        }
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def type_of(schema: dict[str, Any]) -> dict[str, str]:
    """A value's type in words, and the shape it names, if any."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return {"words": name, "shape": name}
    for several in ("anyOf", "allOf", "oneOf"):
        if several in schema:
            kinds = [type_of(each) for each in schema[several]]
            shape = next((kind["shape"] for kind in kinds if kind["shape"]), "")
            return {"words": " or ".join(kind["words"] for kind in kinds), "shape": shape}
    if "enum" in schema:
        return {"words": " | ".join(map(str, schema["enum"])), "shape": ""}
    if "const" in schema:
        return {"words": str(schema["const"]), "shape": ""}
    if schema.get("type") == "array":
        item = type_of(schema.get("items", {}))
        return {"words": f"list of {item['words']}", "shape": item["shape"]}
    return {"words": schema.get("format") or str(schema.get("type", "anything")), "shape": ""}
