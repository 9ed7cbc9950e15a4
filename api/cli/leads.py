"""The command ``goldfold leads``."""

from __future__ import annotations

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.cli.yields import share
from labeling.reviews import LeadAgreement, lead_agreement


def leads_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Say how often a second lead, blind, decided as the first had, and what leads say of why annotators differed.

    Example: goldfold leads --json
    """
    with goldfold(context) as app:
        told = lead_agreement(app.ledger)
    if as_json:
        show_json(told.as_dict())
        return
    table("Leads who decided twice", ["policy", "n", "agreed (95 %)"], _agreed(told))
    table("What they decided", ["policy", "of the answer, or of the annotators", "adjudications"], _said(told))
    out.print(f"{told.open} second looks wait for a lead")


def _agreed(told: LeadAgreement) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [(policy, f.n, share(f)) for policy, f in told.by_policy.items()]
    return [*rows, ("all", told.agreed.n, share(told.agreed))] if rows else []


def _said(told: LeadAgreement) -> list[tuple[object, ...]]:
    both = (told.verdicts, told.causes)
    return [(policy, what, n) for counts in both for policy, said in counts.items() for what, n in said.items()]
