"""Somebody who logs in on the page, without a browser."""

from __future__ import annotations

import os
import re
import time

import httpx

from bench.errors import BenchError

NAME = "admin"
PASSWORD_VARIABLE = "FLEETDASH_ADMIN_PASSWORD"


def password() -> str:
    """The admin's password; raises BenchError when it was not given."""
    given = os.environ.get(PASSWORD_VARIABLE)
    if not given:
        raise BenchError(f"set {PASSWORD_VARIABLE} to the admin's password")
    return given


class Person:
    """A session of the admin; `log_in_ms` is how long sending the form took to lead to the page."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.client = httpx.Client(
            base_url=url, follow_redirects=True, timeout=30, trust_env=False
        )
        form = self.client.get("/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        if token is None:
            raise BenchError("the log-in page has no form")
        began = time.perf_counter()
        answer = self.client.post(
            "/login/",
            data={"username": NAME, "password": secret, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": url},
        )
        self.log_in_ms = 1000 * (time.perf_counter() - began)
        if answer.status_code != 200 or answer.url.path.startswith("/login"):
            raise BenchError(f"the admin's password in {PASSWORD_VARIABLE} is not accepted")

    def get_ms(self, path: str) -> float:
        """Milliseconds to get a page; raises BenchError when it is not the page."""
        began = time.perf_counter()
        answer = self.client.get(path)
        took_ms = 1000 * (time.perf_counter() - began)
        if answer.status_code != 200 or answer.url.path.startswith("/login"):
            raise BenchError(f"{path} answered {answer.status_code} at {answer.url}")
        return took_ms

    @property
    def cookies(self) -> str:
        """The session as a Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
