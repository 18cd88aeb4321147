"""Notices that are shown to each person once."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SeenNotice(models.Model):
    """A person has read a notice of that name and put it away."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=40)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="seen_notice_once"),
        ]

    def __str__(self) -> str:
        return self.name
