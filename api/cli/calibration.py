"""Commands on what scores are worth: calibrate, threshold, drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from labeling.judging.thresholds import MISS_RATE, wanted_of

FIGURES = ("ece", "brier", "log_loss")


def calibrate_command(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(help="Id of the model (goldfold models).")],
    golden: Annotated[
        str, typer.Option("--golden-version", "--golden", help="Learn from this version's calibration partition.")
    ] = "",
    method: Annotated[str, typer.Option(help="auto, temperature, platt, isotonic, or none to undo.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would bring; change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a model's scores mean what they say: ECE, Brier score and log loss before and after, with intervals.

    Examples:

      goldfold calibrate hate-7 --dry-run

      goldfold calibrate hate-7 --golden-version 1.3.0 --method platt --json
    """
    with goldfold(context) as app:
        made = app.calibrate(model_id, actor="cli", golden_version=golden or None, method=method, dry_run=dry_run)
    if as_json:
        show_json(made)
        return
    rows = [row for policy_id, told in sorted(made["policies"].items()) for row in _figures(policy_id, told)]
    title = f"{model_id} on the calibration partition of golden {made['golden_version']}, cross-fitted"
    table(title, ["policy", "figure", "before", "after", "change, 95 % interval", "n"], rows)
    for policy_id, told in sorted(made["policies"].items()):
        out.print(f"{policy_id}: {told['method']}, {told['verdict']}{_because(told)}")
        if "flagged" in told:
            flagged = told["flagged"]
            out.print(f"  at the threshold {flagged['threshold']}: {flagged['before']} flagged, now {flagged['after']}")
    for licence in sorted({told["licence"] for told in made["policies"].values()}):
        out.print(f"Licence: {licence}")
    state = "is in force" if made["applied"] else "was tried and is not in force"
    out.print(f"Calibration {made['version']} of {model_id} {state}")


def threshold_command(
    context: typer.Context,
    model_id: Annotated[str, typer.Argument(help="Id of the model (goldfold models).")],
    policy: Annotated[str, typer.Option("--policy", help="The policy that the line is drawn for.")],
    miss_rate: Annotated[float | None, typer.Option("--miss-rate", help="The most that may be missed.")] = None,
    precision: Annotated[float | None, typer.Option("--precision", help="The least precision, instead.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Go back to the policy's own threshold.")] = False,
    golden: Annotated[str, typer.Option("--golden", help="Use this version's calibration partition.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it; change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Draw the line of a policy where an exact bound keeps a target; a champion acts on it from then on.

    Examples:

      goldfold threshold hate-7 --policy violence --miss-rate 0.05

      goldfold threshold hate-7 --policy violence --precision 0.9 --dry-run
    """
    wanted = wanted_of(miss_rate, precision)
    if clear == (wanted is not None):
        raise typer.BadParameter("give one of --miss-rate, --precision and --clear")
    with goldfold(context) as app:
        told = app.threshold(model_id, policy, wanted, "cli", golden, dry_run=dry_run)
    if as_json:
        show_json(told)
        return
    if wanted is None:
        out.print(f"{model_id} acts on {policy} from the policy's own threshold again: {told['threshold']:g}")
        return
    sure = f"{told['rule']} {'at most' if told['rule'] == MISS_RATE else 'at least'} {told['bound']:.4f}"
    out.print(f"{policy}: threshold {told['threshold']:.6g} (was {told['before']:.6g})")
    out.print(f"  {sure}, with {told['confidence']:.0%} confidence ({told['events']} of {told['n']} against it)")
    out.print(f"  Licence: {told['licence']}")


def drift_command(
    context: typer.Context,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Created from then on (UTC).")
    ] = None,
    model_id: Annotated[str, typer.Option("--model", help="Id of a model (default: the champion).")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Say whether the scores of what came since promotion still look like those of the model's reference window.

    Example: goldfold drift --since 2026-11-01
    """
    with goldfold(context) as app:
        told = app.drift(model_id or None, since.replace(tzinfo=UTC) if since else None)
    if as_json:
        show_json(told)
        return
    columns = ["policy", "language", "PSI", "noise up to", "JSD (nats)", "p", "n then", "n now", "verdict"]
    table(f"Scores of {told['model_id']} since {told['reference_at']}", columns, list(_cells(told)))
    out.print(
        f"Verdict: {told['verdict']}; without drift, at most {told['false_alarms']:.0%} of windows raise an alarm"
    )


def _figures(policy_id: str, told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """One row a figure; a policy without figures has none."""
    for name in FIGURES if "change" in told else ():
        change = told["change"][name]
        said = f"{change['value']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"
        yield (
            policy_id,
            name,
            f"{told['before'][name]['value']:.4f}",
            f"{told['after'][name]['value']:.4f}",
            said,
            told["n"],
        )


def _because(told: Mapping[str, Any]) -> str:
    return f" ({told['note']})" if told["note"] else ""


def _cells(told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for policy_id, cells in sorted(told["policies"].items()):
        for language, cell in [("all", cells["all"]), *sorted(cells["languages"].items())]:
            figures = [_number(cell[name]) for name in ("psi", "psi_noise", "jsd", "p_value")]
            yield policy_id, language, *figures, cell["n_reference"], cell["n_current"], cell["verdict"]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
