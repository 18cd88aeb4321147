"""Starts one of our processes, in the place of this one; holds back one that cannot be started.

python -m fleetdash.deploy.run NAME

The supervisor starts again at once whatever ends, so the pause is made here, for whatever reason a
start fails: settings and what needs them are loaded where that is caught.
"""

from __future__ import annotations

import os
import sys
import time
import traceback

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

from django.core.exceptions import ImproperlyConfigured

from fleetdash.deploy.errors import DeployError, sentence_of

# one that fails at once is started no more than twice in this time, in seconds
BACK_OFF_S = 2.0


def main() -> int:
    """Become the process named on the command line; returns only when that fails."""
    if len(sys.argv) != 2:
        print("usage: run NAME", file=sys.stderr)
        return 2
    name = sys.argv[1]
    try:
        from fleetdash.deploy import becoming

        becoming.become(name)
    except (DeployError, ImproperlyConfigured) as error:
        print(f"{name}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{name}: {sentence_of(error)}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
    time.sleep(BACK_OFF_S)
    return 1


if __name__ == "__main__":
    sys.exit(main())
