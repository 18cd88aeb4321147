"""`python -m fleetdash.cli`."""

from __future__ import annotations

import sys

from fleetdash.cli.main import main

sys.exit(main(sys.argv[1:]))
