"""What can go wrong with firmware, each said in one sentence a person can act on."""

from __future__ import annotations


class FirmwareError(Exception):
    """Something about firmware failed; the message says what and what to do."""


class PackageUnavailable(FirmwareError):
    """A Debian package could not be fetched, or a fetched one is damaged."""


class BuildFailed(FirmwareError):
    """A tool of the build failed; the message ends with what it printed."""


class CorruptFirmware(FirmwareError):
    """A firmware on disk is incomplete, damaged or not what its name says."""


class BadEnvironment(FirmwareError, ValueError):
    """A boot-loader environment is damaged or does not fit."""


class LayoutError(FirmwareError, ValueError):
    """Something does not fit its place on the disk."""
