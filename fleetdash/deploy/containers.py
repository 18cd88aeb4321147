"""What bin/up does before it starts anything, for the containers of docker-compose.yml.

python -m fleetdash.deploy.containers
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

import django
from django.conf import settings

from devices.firmware.errors import FirmwareError
from devices.qemu import confinement
from devices.qemu.errors import QemuError
from fleetdash.deploy import folders, inside
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.installation import NAMESPACE_VARIABLE
from fleetdash.deploy.progress import Progress


def main() -> int:
    """Prepare folders, firmware, namespace and database; then the services may start."""
    django.setup()
    progress = Progress()
    var, checkout = settings.VAR_DIR, settings.BASE_DIR
    try:
        with progress.step("Folders and secrets"):
            folders.make(var, as_root=True)
            folders.make_secret_key(var, as_root=True)
        namespace = os.environ.get(NAMESPACE_VARIABLE)
        if namespace:
            with progress.step("Network namespace"):
                confinement.ensure_namespace(Path(namespace).name)
        answer = inside.prepare_everything(var, checkout, progress)
        inside.make_accounts(var, answer, progress)
    except (DeployError, FirmwareError, QemuError, OSError) as error:
        print(f"\nprepare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
