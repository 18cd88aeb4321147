"""Requests that must not be carried out twice."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class AskedOnce(models.Model):
    """A key under which a person asked for something that makes no operation; kept for a day."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    key = models.CharField(max_length=64)
    what = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="asked_once"),
        ]

    def __str__(self) -> str:
        return self.what
