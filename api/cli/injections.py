"""The command ``goldfold injections``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.injections import injections_told


def injections_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Say what injections found: each person by policy, whom they flag, and whether they are recognised.

    Example: goldfold injections --json
    """
    with goldfold(context) as app:
        told = injections_told(app)
    if as_json:
        show_json(told)
        return
    rows = [
        (
            row["desk"],
            row["policy_id"],
            figure(row["accuracy"]),
            row["last"] or "none yet",
            f"{row['test']['state']}: {row['test']['errors']} of {row['test']['n']} wrong",
        )
        for row in told["people"]
    ]
    table("Injections", ["desk", "policy", "right", "last verdict", "test that runs"], rows)
    out.print(f"{told['given']} given, {told['answered']} answered, {told['unjudged']} with an anchor that is no more")
    for email in told["flagged"]:
        out.print(f"Flagged: {email} (goldfold roster resume closes the matter after a look)")
    _meter(told["meter"])


def _meter(told: Mapping[str, Any]) -> None:
    both = f"injections {figure(told['injected'])}, work looked at again {figure(told['reviewed'])}"
    gap = told["gap"]
    if gap["value"] is None:
        out.print(f"Recognisability: insufficient ({both})")
        return
    said = "they may be recognised" if told["recognised"] else "no sign that they are recognised"
    out.print(f"Recognisability: {said}: gap {gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}] ({both})")


def figure(told: Mapping[str, Any]) -> str:
    """A share with its interval and n."""
    value = "insufficient" if told["value"] is None else f"{told['value']:.3f}"
    return f"{value} [{told['low']:.3f}, {told['high']:.3f}], n = {told['n']}"
