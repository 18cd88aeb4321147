"""Tables, one file a concept; no behaviour beyond queries."""

from __future__ import annotations
