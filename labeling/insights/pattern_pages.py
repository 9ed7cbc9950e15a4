"""Patterns as files: JSON with everything, or Markdown cards to read. Neither holds content."""

from __future__ import annotations

import json
from pathlib import Path

from labeling.errors import InvalidInput
from labeling.insights.patterns import Pattern, Patterns
from labeling.written import write_whole

FORMS = (".json", ".md")


def write(found: Patterns, path: Path) -> None:
    """Write ``found`` in the form that the suffix names, whole or not at all, readable by its owner alone. Raises
    InvalidInput (another suffix), StoreError."""
    if path.suffix not in FORMS:
        raise InvalidInput(f"{path}: give a file whose name ends in {' or '.join(FORMS)}")
    body = as_json(found) if path.suffix == ".json" else as_markdown(found)
    write_whole(path, body.encode(), private=True)


def as_json(found: Patterns) -> str:
    """One document, each pattern with the external ids of all its items."""
    whole = [found.told(one, whole=True) | {"external_ids": list(one.items)} for one in found.patterns]
    return json.dumps({**found.as_dict(), "patterns": whole}, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def as_markdown(found: Patterns) -> str:
    """One section a pattern."""
    head = [
        "# Patterns",
        "",
        f"{len(found.patterns)} patterns in {found.decisions:,} judged decisions, {found.errors:,} of them wrong; "
        f"{found.tests:,} places were looked at, at a false-discovery rate of {found.rate:.0%}.",
        "",
        f"- {found.licence}",
        f"- golden version: {found.golden_version or 'none published yet'}",
        f"- left out: {found.withheld:,} withheld, {found.unjudged:,} that no gold may judge",
    ]
    return "\n".join([*head, *(line for pattern in found.patterns for line in _section(pattern))]) + "\n"


def _section(pattern: Pattern) -> list[str]:
    card = pattern.card
    return [
        "",
        f"## {card.title}",
        "",
        *card.lines,
        "",
        f"- to do: {card.action}",
        f"- cause: {card.cause}",
        f"- examples: {', '.join(pattern.exemplars)}",
        f"- policy versions: {', '.join(pattern.policy_versions) or 'unknown'}",
        f"- items: {pattern.link}",
        f"- id: {pattern.pattern_id}",
    ]
