"""Commands on cascades: fit one to the current scorer, and see what it loses."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.output import bar, out, show_json, table
from api.cli.session import JsonFlag, goldfold
from labeling.cascade import FitRequest, cascade_status, fit_cascade

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The cascade before the scorer: fit it, and see what it loses.",
)


@app.command("fit")
def fit_command(
    context: typer.Context,
    loss: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="The most that the bound of the lost share may be.")
    ] = 0.005,
    sample: Annotated[
        int, typer.Option(min=1, help="Items drawn at random; those without a full score get one.")
    ] = 50_000,
    seed: Annotated[int, typer.Option(help="Draws the sample, the split and the trickle.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Use only what is scored already, and keep nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Distil a first stage from the scorer and bound what it may lose. It takes minutes; killed, it goes on.

    Examples:

      goldfold cascade fit

      goldfold cascade fit --loss 0.02 --sample 20000 --dry-run --json
    """
    with goldfold(context) as opened, bar("score", quiet=as_json) as tick:
        picks = round(opened.settings.budget * opened.settings.lanes.get("uncertain", 0))
        request = FitRequest(sample, loss, picks, seed, dry_run)
        fitted = fit_cascade(
            opened.ledger.audit,
            opened.lake,
            opened.operating(),
            opened.full_scorer(),
            opened.models_dir,
            request,
            actor="cli",
            progress=tick,
        ).as_dict()
    if as_json:
        show_json(fitted)
        return
    out.print(f"Cascade {fitted['version']} in {fitted['folder'] or 'no folder (dry run)'}")
    _report(fitted["report"])
    if fitted["folder"]:
        out.print("To use it: set cascade to auto, or to this folder; goldfold score then goes through it")


@app.command("status")
def status_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the cascades, newest first: bound, share cleared, and drift by the trickle.

    Example: goldfold cascade status --json
    """
    with goldfold(context) as opened:
        given = opened.settings.cascade
        found = [
            status.as_dict()
            for status in cascade_status(opened.lake, opened.operating(), opened.full_scorer(), opened.models_dir)
        ]
    if as_json:
        show_json({"setting": given, "cascades": found})
        return
    if not found:
        out.print("No cascade has been fitted: goldfold cascade fit")
    for one in found:
        state = "may be used" if one["fits"] else one["reason"]
        out.print(f"Cascade {one['version']}: {state} (setting cascade: {given or 'none'})")
        _report(one["report"])
        if one["drift"]:
            _drift(one["drift"])


def _report(report: dict[str, Any]) -> None:
    out.print(
        f"Clears {report['cleared']:.1%}; {report['lost']} of {report['positives']} held-out positives lost, at most "
        f"{report['loss_upper']:.2%} at 95 %; {report['picks_lost']} of {report['picks']} picks lost"
    )
    if report["speed_up"] is not None:
        out.print(f"Expected: {report['speed_up']:.1f} times the scorer's texts per CPU second")
    rows = [(p, n["positives"], n["lost"], f"{n['loss_upper']:.2%}") for p, n in sorted(report["policies"].items())]
    table("Held-out positives", ["policy", "positives", "lost", "at most"], rows)


def _drift(drift: dict[str, Any]) -> None:
    out.print(
        f"Trickle: {drift['items']} items, {drift['positives']} positive, {drift['lost']} of them would be lost: "
        f"{drift['low']:.2%} to {drift['high']:.2%}, {drift['verdict']}"
    )
