"""What the fleet does; the only writers."""

from __future__ import annotations
