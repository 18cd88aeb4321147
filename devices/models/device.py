"""Devices: virtual machines with a serial number."""

from __future__ import annotations

from django.db import models

from devices.states import LIVING, State


class DeviceQuerySet(models.QuerySet["Device"]):
    """Questions asked in more than one place."""

    def living(self) -> DeviceQuerySet:
        """Devices that are wanted or have a process: every state but `gone` and `failed`."""
        return self.filter(state__in=LIVING)

    def on(self, host_name: str) -> DeviceQuerySet:
        """Devices placed on the host of that name."""
        return self.filter(host__name=host_name)


class Device(models.Model):
    """One virtual machine; `state` is moved by `devices.states.move` only."""

    class Start(models.TextChoices):
        COLD = "cold"
        WARM = "warm"

    serial = models.CharField(max_length=16, unique=True)
    # dense place on the wall, given again once the device is gone; null when it has none
    slot = models.PositiveIntegerField(null=True)
    host = models.ForeignKey("devices.Host", on_delete=models.PROTECT, related_name="devices")
    firmware = models.ForeignKey("devices.Firmware", on_delete=models.PROTECT)
    start = models.CharField(max_length=8, choices=Start, default=Start.COLD)
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in State], default=State.REQUESTED.value
    )
    state_since = models.DateTimeField()
    reason = models.CharField(max_length=500, default="")
    secret = models.CharField(max_length=43)
    attempts = models.PositiveSmallIntegerField(default=0)

    boot_id = models.CharField(max_length=36, default="")
    pid = models.PositiveIntegerField(null=True)
    start_time = models.BigIntegerField(null=True)
    command_line = models.JSONField(default=list)
    # a clone that was forked from a running one, and did not start a qemu of its own
    forked = models.BooleanField(default=False)

    reported_version = models.CharField(max_length=64, default="")
    reported_slot = models.CharField(max_length=1, default="")
    reported_start = models.CharField(max_length=8, default="")

    requested_at = models.DateTimeField()
    spawned_at = models.DateTimeField(null=True)
    online_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["slot"], name="slot_once"),
        ]
        indexes = [
            # counts by state and each host's work list, many times a second
            models.Index(fields=["host", "state"], name="device_host_state"),
            models.Index(fields=["state"], name="device_state"),
            # the list by age, and the newest of the last hour; written once a device
            models.Index(fields=["requested_at"], name="device_requested_at"),
        ]

    def __str__(self) -> str:
        return self.serial
