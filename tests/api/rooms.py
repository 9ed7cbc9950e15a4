"""Every exception class that the rooms define, found by reading their source: a heavy module is not imported for it."""

from __future__ import annotations

import ast
import builtins
import importlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "configs", "labeling", "scoring", "selection")


def sources() -> list[Path]:
    """Every Python file of every room."""
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def module_name(path: Path) -> str:
    """``labeling/store/lake.py`` -> ``labeling.store.lake``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _bases(node: ast.ClassDef) -> set[str]:
    plain = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return plain | {base.attr for base in node.bases if isinstance(base, ast.Attribute)}


@cache
def error_classes() -> list[type[Exception]]:
    """Subclasses of Exception by module and name; those that start with an underscore never leave their module."""
    defined = [
        (module_name(path), node)
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    names = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}
    found: dict[str, str] = {}  # class name within its module -> module
    while new := {f"{m}:{n.name}": m for m, n in defined if f"{m}:{n.name}" not in found and names & _bases(n)}:
        found |= new
        names |= {key.partition(":")[2] for key in new}
    classes = [getattr(importlib.import_module(m), key.partition(":")[2]) for key, m in sorted(found.items())]
    return [cls for cls in classes if not cls.__name__.startswith("_")]
