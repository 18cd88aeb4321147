"""Guests as processes: command line, accelerator proof, QMP, identity, confinement."""

from __future__ import annotations
