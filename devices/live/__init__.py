"""The live page's path: frames, the hub with the latest of everything, the browser's socket."""

from __future__ import annotations
