"""The command ``goldfold anchoring``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from api.anchoring import anchoring_told
from api.cli.injections import figure
from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold


def anchoring_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Say how far suggestions pull answers: each person by policy, and over all, with intervals.

    Example: goldfold anchoring --json
    """
    with goldfold(context) as app:
        told = anchoring_told(app)
    if as_json:
        show_json(told)
        return
    rows = [(row["desk"], row["policy_id"], shift(row), row["n"]) for row in told["people"]]
    table("Anchoring", ["desk", "policy", "shift", "items both ways"], rows)
    for row in told["policies"]:
        out.print(f"{row['policy_id']}: {shift(row)}, n = {row['n']}")
    out.print(f"Over all: {shift(told['overall'])}, n = {told['overall']['n']}")
    out.print(f"Towards wrong suggestions, at most: {shift(told['wrong'])}, n = {told['wrong']['n']}")
    out.print(f"Wrong suggestions followed: {figure(told['misled'])}")
    made = ", ".join(f"{count} {origin}" for origin, count in told["origins"].items())
    out.print(f"{told['given']} given, {told['answered']} answered, {told['withheld']} withheld; answers: {made}")


def shift(told: Mapping[str, Any]) -> str:
    """A shift with its interval."""
    ends = f"[{told['low']:+.3f}, {told['high']:+.3f}]"
    if told["value"] is None:
        return f"insufficient {ends}"
    return f"{told['value']:+.3f} {ends}" + (", suggestions pull" if told["pulls"] else "")
