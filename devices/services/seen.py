"""Notices that each person is shown once, and not again after putting them away."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser

from devices.models import SeenNotice

KSM_SIDE_CHANNEL = "ksm-side-channel"


def has_seen(user: AbstractBaseUser, name: str) -> bool:
    """Whether this person has put that notice away."""
    return SeenNotice.objects.filter(user_id=user.pk, name=name).exists()


def note_seen(user: AbstractBaseUser, name: str) -> None:
    """This person has read that notice; saying so twice does no harm."""
    SeenNotice.objects.get_or_create(user_id=user.pk, name=name)
