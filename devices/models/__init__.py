"""Tables, one file a concept; no behaviour beyond queries."""

from __future__ import annotations

from devices.models.device import Device
from devices.models.event import Event
from devices.models.firmware import Firmware
from devices.models.host import Host
from devices.models.operation import Operation, Target
from devices.models.token import Token

__all__ = ["Device", "Event", "Firmware", "Host", "Operation", "Target", "Token"]
