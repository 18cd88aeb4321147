"""API tokens, stored as hashes."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Token(models.Model):
    """A key; only its SHA-256 is stored."""

    class Scope(models.TextChoices):
        FULL = "full"  # the API, as its user
        READ = "read"  # the API, looking only
        METRICS = "metrics"  # /metrics, and nothing else
        WALL = "wall"  # looking at /wall, and nothing else

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=8, choices=Scope, default=Scope.FULL)
    sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
