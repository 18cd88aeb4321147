"""Logging out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse

from devices.live.access import by_session
from devices.services import bus


class LeaveView(LogoutView):
    """Ends the session, and with it what is open by it: other tabs' live sockets."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log out."""
        key = request.session.session_key
        answer = super().post(request, *args, **kwargs)
        if key:
            bus.publish_revoked([by_session(key)])
        return answer
