"""Operations: something a person asked of many devices, with progress and an end."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Operation(models.Model):
    """One request; its progress is the outcomes of its targets."""

    class Kind(models.TextChoices):
        ADD = "add"
        REMOVE = "remove"
        REBOOT = "reboot"
        SHUT_DOWN = "shut_down"  # the device is asked to end itself in order
        POWER_OFF = "power_off"  # its guest is ended, as if the plug were pulled
        POWER_ON = "power_on"
        TAG = "tag"

    class State(models.TextChoices):
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        PARTLY = "partly"
        FAILED = "failed"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    count = models.PositiveIntegerField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    idempotency_key = models.CharField(max_length=64, null=True)
    # a hash of all that was asked for under the key
    wish = models.CharField(max_length=64, default="")
    note = models.CharField(max_length=300, default="")
    # what the kind needs to know: {"add": [tags], "remove": [tags]} of a tagging
    parameters = models.JSONField(default=dict)
    # the operation whose failed targets this one tries again
    retry_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL)
    cancel_requested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["actor", "idempotency_key"], name="operation_asked_once"
            ),
        ]
        indexes = [
            # the page asks for what is running, many times a minute
            models.Index(
                fields=["id"], name="operation_running", condition=models.Q(state="running")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.count}"


class Target(models.Model):
    """One device of an operation and what became of it there."""

    class Outcome(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="targets")
    device = models.ForeignKey("devices.Device", on_delete=models.CASCADE, related_name="targets")
    outcome = models.CharField(max_length=16, choices=Outcome, default=Outcome.PENDING)
    # why it failed or was left out, as a sentence
    reason = models.CharField(max_length=300, default="")
    ended_at = models.DateTimeField(null=True)
    # the tags {"add": […], "remove": […]} that a tagging changed here, or was to change where it
    # failed; none where it changed nothing
    tags = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operation", "device"], name="target_once"),
        ]
        indexes = [
            models.Index(fields=["operation", "outcome"], name="target_outcome"),
            # settling asks: which unfinished operations does this device belong to?
            models.Index(
                fields=["device"], name="target_pending", condition=models.Q(outcome="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation_id}/{self.device_id}: {self.outcome}"
