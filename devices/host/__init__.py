"""What a machine is and how it feels: cpu, memory, KSM, zram, PSI."""

from __future__ import annotations
