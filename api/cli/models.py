"""Commands on models: evaluate, promote, list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.figures import COLUMNS, figures_of, policies_of
from labeling.artefacts import kind_of
from labeling.drift import REFERENCE
from labeling.records import Model


def evaluate_command(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(help="Id of the model (goldfold models).")],
    golden: Annotated[str, typer.Option("--golden", help="Judge on this version's dev partition instead.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Judge a model on dev: AUPRC, precision and recall at the threshold, with intervals.

    Example: goldfold evaluate hate-7 --golden 1.3.0
    """
    with goldfold(context) as app:
        result = app.evaluate(model_id, golden or None)
    if as_json:
        show_json(result)
        return
    show_figures(result)


def promote_command(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(help="Id of the model (goldfold models).")],
    as_json: JsonFlag = False,
) -> None:
    """Make a model the scorer of the next round; the one before is archived. Example: goldfold promote hate-7"""
    with goldfold(context) as app:
        model = app.promote(model_id, actor="cli")
    if as_json:
        show_json(shown(model))
        return
    out.print(f"{model.model_id} is the champion; the next round scores with it")


def models_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the models, newest last. Example: goldfold models"""
    with goldfold(context) as app:
        models = app.ledger.models.all()
    if as_json:
        show_json([shown(model) for model in models])
        return
    rows = [(m.model_id, kind_of(m), m.version, m.state, m.golden_version, m.created_at) for m in models]
    table("Models", ["id", "kind", "version", "state", "golden version", "created"], rows)


def shown(model: Model) -> Model:
    """A model without the counts of its reference window, which `goldfold drift` reads."""
    return replace(model, metrics={key: value for key, value in model.metrics.items() if key != REFERENCE})


def show_figures(evaluation: Mapping[str, Any]) -> None:
    """What ``evaluate`` found, as a table, or why it found nothing."""
    if evaluation.get("note"):
        out.print(str(evaluation["note"]))
        return
    rows: list[tuple[object, ...]] = []
    licences = set()
    for policy_id, judged in policies_of(evaluation):
        rows.extend((policy_id, *figure) for figure in figures_of(judged))
        licences.add(judged["licence"])
    table(f"On the dev partition of golden {evaluation['golden_version']}", ["policy", *COLUMNS], rows)
    for licence in sorted(licences):
        out.print(f"Licence: {licence}")
