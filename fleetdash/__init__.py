"""The Django project: settings, addresses, processes."""

from __future__ import annotations
