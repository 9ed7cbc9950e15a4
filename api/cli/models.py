"""Commands on models: evaluate, promote, list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.judges import (
    DryRunOption,
    EndpointOption,
    PredictionsOption,
    ScorerOption,
    judge,
    judges,
    outsider,
    show_price,
)
from api.cli.output import err, out, show_json, table
from api.cli.report import show_report
from api.cli.session import JsonFlag, catch_up, goldfold, run_job
from api.figures import COLUMNS, figures_of, policies_of
from api.ids import new_id
from api.registry_mirror import mirror_behind, mirror_registry
from api.requests import score_request
from labeling.artefacts import kind_of
from labeling.drift import REFERENCE
from labeling.mirror.run import Mirrored
from labeling.model_records import RESCORE, Model


def evaluate_command(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(help="Id of the model (goldfold models).")] = "",
    golden: Annotated[str, typer.Option("--golden", help="Judge on this version's dev partition instead.")] = "",
    scorer: ScorerOption = "",
    endpoint: EndpointOption = "",
    predictions: PredictionsOption = None,
    slices: Annotated[list[str] | None, typer.Option("--slice", help="Cut by this field of the items too.")] = None,
    sealed: Annotated[bool, typer.Option("--sealed", help="Ask the sealed partition; it spends a question.")] = False,
    plots: Annotated[Path | None, typer.Option("--plots", help="Draw a PNG a policy into this folder.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=13, help="On so many items only, drawn by a hash of their ids.")
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Judge a model on dev: AUPRC, precision and recall at the threshold, with intervals, by policy and slice.

    Examples:

      goldfold evaluate hate-7 --golden 1.3.0 --slice surface --plots ./plots

      goldfold evaluate --predictions theirs.csv --json

      goldfold evaluate --scorer toxic-bert

      goldfold evaluate --endpoint gpt --limit 50 --dry-run
    """
    who = outsider(model_id, scorer, endpoint, predictions, limit)
    if who is None and (limit is not None or dry_run):
        raise typer.BadParameter("--limit and --dry-run are for those who are no model; leave them out")
    if sealed and plots is not None:
        raise typer.BadParameter("--plots: nothing is drawn of sealed answers; leave out --plots or --sealed")
    if who is not None:
        what = judges().What(golden, tuple(slices or ()), sealed)
        if dry_run:
            show_price(context, who, what, as_json=as_json)
            return
        result = judge(context, who, what, quiet=as_json)
    else:
        with goldfold(context) as app:
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
        catch_up(app)
    _promoted(context, model, job_id, as_json=as_json)


def rollback_command(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")] = "",
    modality: Annotated[str, typer.Option(help="text, or image: whose champion.")] = "text",
    no_rescore: Annotated[bool, typer.Option("--no-rescore", help="Leave scoring to the next round.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring back the champion before this one, which is archived.

    Example: goldfold rollback --reason "it misses threats"
    """
    with goldfold(context) as app:
        job_id = "" if no_rescore else new_id("rescore")
        model = app.rollback("cli", reason, modality, rescore=job_id)
        catch_up(app)
    _promoted(context, model, job_id, as_json=as_json)


def _promoted(context: typer.Context, model: Model, job_id: str, *, as_json: bool) -> None:
    """``job_id``: of the job that scores with it, "" for none. Its runtime begins what is owed, and so this job."""
    if not as_json:
        out.print(f"{model.model_id} is the champion; the next round scores with it")
    if job_id:
        run_job(context, "score", job_id, score_request(None), quiet=as_json)
    if as_json:
        show_json(asdict(shown(model)) | {"rescore_job_id": job_id or None})


app = typer.Typer(add_completion=False, invoke_without_command=True)


@app.callback()
def models_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the models, newest last. Example: goldfold models"""
    if context.invoked_subcommand is not None:
        return
    with goldfold(context) as opened:
        models = opened.ledger.models.all()
    if as_json:
        show_json([shown(model) for model in models])
        return
    rows = [(m.model_id, kind_of(m), m.version, m.state, m.golden_version, m.created_at) for m in models]
    table("Models", ["id", "kind", "version", "state", "golden version", "created"], rows)


@app.command("mirror")
def mirror_command(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which models are behind; send nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring the registry's mirror in MLflow up to date (setting mlflow_url); again changes nothing.

    Exit code 1 when some models are still behind. Example: goldfold models mirror --dry-run
    """
    with goldfold(context) as opened:
        waiting = tuple(one.model.model_id for one in mirror_behind(opened))
        done = Mirrored((), waiting) if dry_run else mirror_registry(opened)
    if as_json:
        show_json({**asdict(done), "dry_run": dry_run})
    else:
        out.print(f"Mirrored: {', '.join(done.mirrored) or 'nothing'}")
        out.print(f"Behind: {', '.join(done.behind) or 'nothing'}")
    if done.error:
        err.print(done.error)
        raise typer.Exit(1)


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
