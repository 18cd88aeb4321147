"""Saved views of the device list: one's own."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Router, Schema, Status
from pydantic import ConfigDict, Field

from devices.api.auth import actor
from devices.api.schemas import ProblemOut
from devices.services import saved_views as service

router = Router()


class ViewIn(Schema):
    """A view to be kept; `query` is the query of the list's address."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60)]
    query: Annotated[str, Field(max_length=500, examples=["state=failed&sort=-age"])]


class ViewOut(Schema):
    """A saved view."""

    id: int
    name: str
    query: str


class ViewsOut(Schema):
    """Your saved views, by name."""

    views: list[ViewOut]


@router.get("/views", response=ViewsOut, summary="Your saved views")
def mine(request: HttpRequest) -> dict[str, Any]:
    """Your names for ways to look at the device list."""
    return {"views": service.of(actor(request))}


@router.put(
    "/views", response={200: ViewOut, 409: ProblemOut, 422: ProblemOut}, summary="Save a view"
)
def save(request: HttpRequest, wish: ViewIn) -> Any:
    """Keep a view; the same name again takes its place."""
    return service.save(actor(request), wish.name, wish.query)


@router.delete("/views/{view_id}", response={204: None, 404: ProblemOut}, summary="Forget a view")
def forget(request: HttpRequest, view_id: Annotated[int, Path(ge=1, lt=1 << 63)]) -> Status[None]:
    """Forget one of your views."""
    service.delete(view_id, actor(request))
    return Status(204, None)
