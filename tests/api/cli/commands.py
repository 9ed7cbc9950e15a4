"""Every command of ``goldfold``, read off the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from api.cli.main import app


@dataclass(frozen=True)
class Command:
    """A command, its path such as ``golden export``, its help and its options and arguments."""

    path: str
    help: str
    options: tuple[str, ...]
    arguments: tuple[str, ...]


def root() -> Command:
    """The command ``goldfold`` itself."""
    return _command("", typer.main.get_command(app))


def commands() -> list[Command]:
    """Every command below the root, in their order."""
    return list(_below("", typer.main.get_command(app)))


def groups() -> dict[str, Any]:
    """The groups of commands by name, and the root's lazy one under the empty name."""
    top: Any = typer.main.get_command(app)
    found = {name: top.get_command(None, name) for name in top.list_commands(None)}
    return {"": top} | {name: one for name, one in found.items() if hasattr(one, "list_commands")}


def _below(path: str, group: Any) -> Iterator[Command]:
    for name in group.list_commands(None):
        found = group.get_command(None, name)
        where = f"{path} {name}".strip()
        if hasattr(found, "list_commands"):
            if found.invoke_without_command:
                yield _command(where, found)
            yield from _below(where, found)
        else:
            yield _command(where, found)


def _command(path: str, found: Any) -> Command:
    options = [flag for one in found.params if one.param_type_name == "option" for flag in one.opts]
    extra = [flag for one in found.params if one.param_type_name == "option" for flag in one.secondary_opts]
    arguments = [str(one.name) for one in found.params if one.param_type_name == "argument"]
    return Command(path, found.help or "", tuple(flag for flag in [*options, *extra]), tuple(arguments))
