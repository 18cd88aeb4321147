"""Hosts: machines that run guests."""

from __future__ import annotations

from django.db import models


class Host(models.Model):
    """A machine that runs guests; its figures are learnt from the machine itself."""

    name = models.CharField(max_length=63, unique=True)
    architecture = models.CharField(max_length=8)
    cores = models.PositiveIntegerField()
    memory_bytes = models.BigIntegerField()
    kernel_release = models.CharField(max_length=120, default="")
    boot_id = models.CharField(max_length=36, default="")
    # architecture of the guest -> the proof: {"accelerator", "refused": {name: reason}, "seconds"}
    accelerators = models.JSONField(default=dict)
    missing_protections = models.JSONField(default=list)
    # what devices were measured to cost, by how they come to be (devices.services.costs)
    costs = models.JSONField(default=dict)
    # what people set on it: lever -> the wish and what came of it (devices.services.levers)
    levers = models.JSONField(default=dict)
    registered_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
