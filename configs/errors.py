"""Errors of the configs room.

SettingsError    a setting, settings file or scorer file that breaks a rule; names the key and where it was set
"""

from __future__ import annotations


class SettingsError(Exception):
    """A setting breaks a rule; the message names the key and where it was set, ``problems`` lists every one found."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)
