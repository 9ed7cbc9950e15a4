"""A command group whose commands are imported when they are called: the stores and their libraries take seconds, and
``--help`` or a typing error needs none of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: ``module:name`` of its function or Typer app, and the first sentence of its help."""

    target: str
    help: str


class LazyGroup(TyperGroup):
    """Knows its commands by ``entries``. Listing them imports nothing."""

    entries: dict[str, Entry] = {}  # noqa: RUF012 - set by each group's class

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class' signature
        """The commands' names, in their order."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class' signature
        """The command; while help is shown, a stand-in that has only its name and help."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=entry.help)
        return _load(cmd_name, entry.target)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Help of the group."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _load(name: str, target: str) -> Any:
    """The command that stands at ``module:name``."""
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_command(found)
        group.name = name
        return group
    app = typer.Typer(add_completion=False)
    app.command(name)(found)
    return typer.main.get_command(app)
