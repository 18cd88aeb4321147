"""Firmware: what becomes a device's disk."""

from __future__ import annotations

from django.db import models


class Firmware(models.Model):
    """A versioned image for one architecture, named by the SHA-256 of its disk."""

    architecture = models.CharField(max_length=8)
    version = models.CharField(max_length=64)
    uuid = models.CharField(max_length=36)
    sha256 = models.CharField(max_length=64, unique=True)
    size_bytes = models.BigIntegerField()
    imported_at = models.DateTimeField()

    class Meta:
        ordering = ("-imported_at", "-id")

    def __str__(self) -> str:
        return f"{self.architecture} {self.version}"
