"""The Celery worker that samples the host on its own clock and notices dead guests."""

from __future__ import annotations
