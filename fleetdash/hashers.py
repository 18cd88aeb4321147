"""How passwords are kept."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class PasswordHasher(PBKDF2PasswordHasher):
    """PBKDF2 with the rounds OWASP asks for (Password Storage Cheat Sheet) instead of Django's.

    A million rounds are 0.2 s of CPU, and a log-in has to be answered while guests keep every core
    busy. What was kept with other rounds is still known, and kept anew at the next log-in.
    """

    iterations = 600_000
