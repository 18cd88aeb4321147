from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, identify_hasher
from django.contrib.auth.hashers import make_password as made


def test_a_password_is_kept_with_the_rounds_that_owasp_asks_for() -> None:
    kept = made("a long password")
    assert identify_hasher(kept).decode(kept)["iterations"] == 600_000
    assert check_password("a long password", kept)


def test_a_password_kept_with_more_rounds_is_known_and_kept_anew() -> None:
    known = PBKDF2PasswordHasher().encode("a long password", "saltsaltsaltsaltsaltsa")
    again: list[str | None] = []
    assert check_password("a long password", known, setter=again.append)
    assert again == ["a long password"]
