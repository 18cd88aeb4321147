"""Tables, one file a concept; no behaviour beyond queries."""

from __future__ import annotations

from devices.models.asked_once import AskedOnce
from devices.models.device import Device
from devices.models.event import Event
from devices.models.firmware import Firmware
from devices.models.history import HistoryPoint
from devices.models.host import Host
from devices.models.operation import Operation, Target
from devices.models.saved_view import SavedView
from devices.models.seen_notice import SeenNotice
from devices.models.tag import Tag
from devices.models.token import Token

__all__ = [
    "AskedOnce", "Device", "Event", "Firmware", "HistoryPoint", "Host", "Operation", "SavedView",
    "SeenNotice", "Tag", "Target", "Token",
]
