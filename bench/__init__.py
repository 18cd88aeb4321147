"""`bin/bench`: measures this machine through the running system, beside the raw limit."""

from __future__ import annotations

import os

# states and frames of the fleet are read with its settings
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")
