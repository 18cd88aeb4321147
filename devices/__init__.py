"""The one Django app: the fleet and its devices."""

from __future__ import annotations
