"""What a device runs: disk layout, boot-loader environment, build."""

from __future__ import annotations
