"""Where the page's files are collected: each under a name with a hash of what is in it."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Modules name each other by hash too.

    So a browser asks for each once and not again, and never mixes those of two versions.
    """

    support_js_module_import_aggregation = True
    # a module's name hangs on what it imports: as many passes as imports are deep, and some
    max_post_process_passes = 20
