"""Every error a caller of imuge can expect, each with the exit code the command line gives it.

A message is one line: what went wrong, with which file, and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class ImugeError(Exception):
    """Base class: catch this one to catch everything imuge raises on purpose."""

    exit_code: ClassVar[int] = 2


class UsageError(ImugeError):
    """Options or arguments that contradict each other or lie outside their range."""


class InputError(ImugeError):
    """A file cannot be found, read or decoded, or is not a picture imuge can work with."""


class OutputError(ImugeError):
    """An output exists already, collides with another one, or cannot be written."""


class WorkerError(ImugeError):
    """A process that worked on a file ended without an answer."""


class SecretError(ImugeError):
    """A key file is missing, unreadable or malformed."""


class WeightsError(ImugeError):
    """Network weights are missing, damaged, or do not fit the model that asks for them."""


class DeviceError(ImugeError):
    """The device asked for is not there or cannot be used."""


class RecoveryError(ImugeError):
    """The picture is immunized, but too much of it is lost to recover the rest."""


class NotImmunizedError(ImugeError):
    """No immunization was found with this key: never immunized, another key, or destroyed."""

    exit_code: ClassVar[int] = 3
