"""Saved views: a name for a way to look at the list."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A person's name for an address of the device list; `query` is that address's query."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="saved_view_once"),
        ]

    def __str__(self) -> str:
        return self.name
