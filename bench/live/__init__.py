"""The live page's path under load: a web process of its own, fed with a made-up fleet."""

from __future__ import annotations
