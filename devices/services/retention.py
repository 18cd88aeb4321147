"""What is kept for how long."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.utils import timezone

from devices.models import Device, Event, Operation
from devices.services import bus, history, last_words, once, tokens
from devices.states import State

KEEP_TOKENS = timedelta(days=30)


def tidy() -> None:
    """Delete events, gone devices and ended operations older than the settings say.

    With them go sessions that are over, and tokens that ended 30 days ago. The newest device's row
    stays, for serial numbers count on from it.
    """
    # before the rows, so that nobody who is new is taken for gone
    remembered, spoke = bus.remembered(), last_words.known()
    existing = set(Device.objects.exclude(state=State.GONE).values_list("serial", flat=True))
    # what a device said last is written a moment after it, and perhaps after it was forgotten
    bus.forget(sorted(remembered - existing))
    last_words.shorten(sorted(spoke - existing))
    now = timezone.now()
    Event.objects.filter(at__lt=now - timedelta(days=settings.KEEP_EVENTS_DAYS)).delete()
    old = now - timedelta(days=settings.KEEP_GONE_DAYS)
    gone = Device.objects.filter(state=State.GONE, ended_at__lt=old)
    newest = Device.objects.order_by("-id").first()
    if newest is not None:
        gone.exclude(id=newest.id).delete()
    Operation.objects.filter(ended_at__lt=old).delete()
    tokens.forget(now - KEEP_TOKENS)
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    once.forget(now - timedelta(days=1))
    history.tidy()
