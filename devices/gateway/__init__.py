"""The device protocol: a pure core that returns effects, a consumer that performs them."""

from __future__ import annotations
