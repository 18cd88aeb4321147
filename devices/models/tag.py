"""Tags: words people give to devices, to find and act on them by."""

from __future__ import annotations

from django.db import models


class Tag(models.Model):
    """One tag of one device."""

    device = models.ForeignKey("devices.Device", on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "device"], name="tag_once"),
        ]

    def __str__(self) -> str:
        return self.name
