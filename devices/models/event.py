"""Events: what happened to devices, when and why."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Event(models.Model):
    """One transition or remark; kept `KEEP_EVENTS_DAYS` days."""

    at = models.DateTimeField(db_index=True)
    device = models.ForeignKey("devices.Device", null=True, on_delete=models.CASCADE)
    host = models.ForeignKey("devices.Host", null=True, on_delete=models.CASCADE)
    operation = models.ForeignKey("devices.Operation", null=True, on_delete=models.SET_NULL)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    from_state = models.CharField(max_length=16, default="")
    to_state = models.CharField(max_length=16, default="")
    text = models.CharField(max_length=500, default="")
    # why a guest ended of its own accord; also of the one event that tells of many
    cause = models.CharField(max_length=80, default="")

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.from_state}→{self.to_state} {self.text}"
