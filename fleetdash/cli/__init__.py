"""`bin/fleet`: the command line, over the HTTP API; it knows nothing of Django."""

from __future__ import annotations
