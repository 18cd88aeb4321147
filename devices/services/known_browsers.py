"""Browsers in which somebody has logged in before: each keeps a signed voucher that says who.

A voucher lets nobody in. Tries to log in that come with one are counted apart from everybody
else's (`devices.services.tries`), so that others cannot keep its owner out.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core import signing
from django.utils.crypto import constant_time_compare

KEPT_S = 90 * 24 * 3600
_SALT = "devices.known_browsers"


def voucher(user: User) -> str:
    """What a browser keeps in which this user has just logged in; of use for `KEPT_S`."""
    return signing.dumps([user.get_username(), user.get_session_auth_hash()], salt=_SALT)


def vouches(given: str, name: str) -> bool:
    """Whether this is a voucher of the user of that name, made since the password was set."""
    try:
        owner, made_with = signing.loads(given, salt=_SALT, max_age=KEPT_S)
    except signing.BadSignature:
        return False
    user = User.objects.filter(username=name).first() if owner == name else None
    return user is not None and constant_time_compare(made_with, user.get_session_auth_hash())
