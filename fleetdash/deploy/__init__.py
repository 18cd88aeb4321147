"""Puts the processes on a machine: users, namespaces, secrets, supervision."""

from __future__ import annotations
