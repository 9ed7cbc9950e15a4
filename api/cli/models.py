"""Commands on models: evaluate, promote, list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.output import out, show_json, table
from api.cli.report import show_report
from api.cli.session import JsonFlag, goldfold, run_job
from api.figures import COLUMNS, figures_of, policies_of
from api.ids import new_id
from api.requests import score_request
from labeling.artefacts import kind_of
from labeling.drift import REFERENCE
from labeling.model_records import RESCORE, Model


def evaluate_command(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(help="Id of the model (goldfold models).")] = "",
    golden: Annotated[str, typer.Option("--golden", help="Judge on this version's dev partition instead.")] = "",
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Judge this CSV or Parquet of predictions, not a model.")
    ] = None,
    slices: Annotated[list[str] | None, typer.Option("--slice", help="Cut by this field of the items too.")] = None,
    sealed: Annotated[bool, typer.Option("--sealed", help="Ask the sealed partition; it spends a question.")] = False,
    plots: Annotated[Path | None, typer.Option("--plots", help="Draw a PNG a policy into this folder.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge a model on dev: AUPRC, precision and recall at the threshold, with intervals, by policy and slice.

    Examples:

      goldfold evaluate hate-7 --golden 1.3.0 --slice surface --plots ./plots

      goldfold evaluate --predictions theirs.csv --json
    """
    if bool(model_id) == (predictions is not None):
        raise typer.BadParameter("name a model, or a file by --predictions")
    if sealed and plots is not None:
        raise typer.BadParameter("--plots: nothing is drawn of sealed answers; leave out --plots or --sealed")
    with goldfold(context) as app:
        if predictions is not None:
            result = app.judge_predictions(predictions, "cli", golden, slices or (), sealed=sealed)
        else:
            result = app.report(model_id, "cli", golden, slices or (), sealed=sealed)
    show_report(result, plots, as_json=as_json)


def promote_command(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(help="Id of the model (goldfold models).")],
    without_gate: Annotated[bool, typer.Option("--without-gate", help="Promote it without a passing verdict.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why it may do without; kept in the audit.")] = "",
    no_rescore: Annotated[bool, typer.Option("--no-rescore", help="Leave scoring to the next round.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a model the scorer of the next round; the one before is archived.

    It needs a passing verdict of the gate where it replaces a champion (setting gate_needed). Then every item is scored
    with it, by a job that goes on when this command is interrupted.

    Examples:

      goldfold promote hate-7

      goldfold promote hate-7 --without-gate --reason "the champion fails on every new policy"
    """
    if bool(reason) != without_gate:
        raise typer.BadParameter("--without-gate and --reason go together: say why the gate may be left out")
    with goldfold(context) as app:
        job_id = "" if no_rescore else new_id("rescore")
        model = app.promote(model_id, actor="cli", without_gate=reason or None, rescore=job_id)
    _promoted(context, model, job_id, as_json=as_json)


def rollback_command(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")] = "",
    no_rescore: Annotated[bool, typer.Option("--no-rescore", help="Leave scoring to the next round.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring back the champion before this one, which is archived.

    Example: goldfold rollback --reason "it misses threats"
    """
    with goldfold(context) as app:
        job_id = "" if no_rescore else new_id("rescore")
        model = app.rollback("cli", reason, rescore=job_id)
    _promoted(context, model, job_id, as_json=as_json)


def _promoted(context: typer.Context, model: Model, job_id: str, *, as_json: bool) -> None:
    """``job_id``: of the job that scores with it, "" for none. Its runtime begins what is owed, and so this job."""
    if not as_json:
        out.print(f"{model.model_id} is the champion; the next round scores with it")
    if job_id:
        run_job(context, "score", job_id, score_request(None), quiet=as_json)
    if as_json:
        show_json(asdict(shown(model)) | {"rescore_job_id": job_id or None})


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
    """A model without the counts of its reference window, which `goldfold drift` reads, and without what is owed."""
    return replace(model, metrics={k: value for k, value in model.metrics.items() if k not in (REFERENCE, RESCORE)})


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
