"""The command ``goldfold``: it parses, calls the rooms, and turns their errors into one line and an exit code.

Exit codes: 0 done; 1 an error, said in one sentence on standard error; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer

from api import logs
from api.cli.lazy import Entry, LazyGroup
from api.cli.output import err, show_json
from api.cli.session import Given
from api.errors import ROOTS, slug
from api.jobs.running import STEPS

INTERRUPTED = 130
Level = Literal["debug", "info", "warning", "error"]


class Commands(LazyGroup):
    """Every command, in the order of the loop."""

    entries = {  # noqa: RUF012 - constant
        "serve": Entry(
            "api.cli.system:serve_command", "Run the service: REST, the console, jobs, and the sweep of Label Studio."
        ),
        "ingest": Entry("api.cli.content:ingest_command", "Take content in."),
        "import": Entry("api.cli.importing:import_command", "Take items and answers over from another tool."),
        "score": Entry("api.cli.content:score_command", "Score every item that has no score under the current model."),
        "cascade": Entry("api.cli.cascade:app", "The cascade before the scorer: fit it, and see what it loses."),
        "show": Entry("api.cli.content:show_command", "Show an item and its scores."),
        "round": Entry("api.cli.rounds:round_command", "Score, pick, and send the picks to Label Studio, blind."),
        "rounds": Entry("api.cli.rounds:rounds_command", "List the rounds."),
        "cancel": Entry("api.cli.cancel:cancel_command", "End a round early; its open tasks are withdrawn."),
        "sync": Entry("api.cli.rounds:sync_command", "Pull answers from Label Studio and settle what is decided."),
        "adjudicate": Entry("api.cli.rounds:adjudicate_command", "Show what waits for a lead."),
        "roster": Entry("api.cli.roster:app", "The people who answer blind work."),
        "injections": Entry("api.cli.injections:injections_command", "Say what injections found."),
        "leads": Entry("api.cli.leads:leads_command", "Say how far leads agree, and why annotators differed."),
        "stops": Entry("api.cli.stops:stops_command", "Show, or lift, the legal stops."),
        "erase": Entry("api.cli.erasure:erase_command", "Erase an item everywhere, and leave a tombstone."),
        "erasures": Entry("api.cli.erasure:app", "Erasures: how they stand, and whose acknowledgement is missing."),
        "hold": Entry("api.cli.erasure:hold_command", "Keep an item from being erased, or let it go again."),
        "studio": Entry("api.cli.studio:app", "Label Studio: rebuild it when lost, repair edits."),
        "anchoring": Entry("api.cli.anchoring:anchoring_command", "Say how far suggestions pull answers."),
        "golden": Entry("api.cli.golden:app", "The golden set: publish an immutable version, verify it, export it."),
        "policy": Entry("api.cli.policies:app", "The policies' versions: publish one, and what follows from it."),
        "sop": Entry("api.cli.sop:app", "Decision trees: lint, replay on gold, compile."),
        "causes": Entry("api.cli.causes:app", "Why errors happen, what is done, and whether it helped."),
        "coverage": Entry("api.cli.coverage:app", "How much of the traffic lies near gold; a round about the rest."),
        "weekly": Entry("api.cli.weekly:app", "What a week showed: draft, sign and show the pack."),
        "people": Entry("api.cli.quality:people_command", "How good each person's blind answers are."),
        "agreement": Entry("api.cli.quality:agreement_command", "How far people agree."),
        "decisions": Entry("api.cli.decisions:app", "Production's decisions: import and count them."),
        "qa": Entry("api.cli.qa:app", "Daily QA: have a day's decisions judged again, and see how right."),
        "patterns": Entry("api.cli.patterns:app", "Misapplication patterns: where one rule is taken for another."),
        "signals": Entry("api.cli.signals:app", "Appeals and reports: import, count, and hold QA against them."),
        "interception": Entry("api.cli.interception:app", "What was removed, by which stage, and what got through."),
        "kpi": Entry("api.cli.kpi:app", "Why accuracy changed, and its weekly series."),
        "train": Entry("api.cli.training:app", "Train a candidate on a golden version and judge it: head, finetune."),
        "simulate": Entry("api.cli.simulation:simulate_command", "Replay a labelled file to see what strategies save."),
        "evaluate": Entry("api.cli.models:evaluate_command", "Judge a model on dev."),
        "calibrate": Entry("api.cli.calibration:calibrate_command", "Make a model's scores mean what they say."),
        "threshold": Entry("api.cli.calibration:threshold_command", "Draw a line where a bound keeps a target."),
        "gate": Entry("api.cli.gate:gate_command", "Rule on a challenger by sealed gold; exits 0, 1 or 3."),
        "gates": Entry("api.cli.gate:gates_command", "List the verdicts of the gate."),
        "promote": Entry("api.cli.models:promote_command", "Make a model the scorer of the next round."),
        "population": Entry("api.cli.population:population_command", "What picks of chance say of all traffic."),
        "rollback": Entry("api.cli.models:rollback_command", "Bring back the champion before this one."),
        "drift": Entry("api.cli.calibration:drift_command", "Say whether scores have moved since promotion."),
        "models": Entry("api.cli.models:app", "List the models, or mirror them in MLflow."),
        "trends": Entry("api.cli.trends:app", "What grows in the traffic: judge a day, list alerts, ask about one."),
        "keys": Entry("api.cli.system:keys_app", "API keys: create, list, revoke."),
        "doctor": Entry("api.cli.system:doctor_command", "Check what a round needs, and say the cure of what lacks."),
        "demo": Entry("api.cli.demo:demo_command", "Run the whole loop twice on real content."),
    }


app = typer.Typer(
    cls=Commands,
    name="goldfold",
    help="Active-learning labeling for content safety: score, select, label blind, fold into a golden set.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("goldfold"))
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (YAML).")] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where Goldfold keeps its data.")] = None,
    studio_url: Annotated[str | None, typer.Option("--studio-url", help="Address of Label Studio.")] = None,
    log_level: Annotated[Level | None, typer.Option("--log-level", help="Least level that is logged.")] = None,
    _shown: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Options given here rank above the environment (GOLDFOLD_*), which ranks above the settings file."""
    flags = {"data_dir": data_dir, "studio_url": studio_url, "log_level": log_level}
    context.obj = Given(config, {key: value for key, value in flags.items() if value is not None})
    logs.configure(log_level or "warning", as_json=False)


def run() -> None:
    """The entry point."""
    code = main(sys.argv[1:])
    if not STEPS.idle():  # a step that outlived its grace would hold the end up; it is done again, as after a crash
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no model is fetched behind the operator's back; 0 says otherwise
    try:
        app(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except ROOTS as error:
        _show(error, as_json="--json" in arguments)
        code = 1
    else:
        code = 0
    if code == INTERRUPTED:
        err.print("Interrupted; nothing is half-written")
    return code


def _show(error: Exception, *, as_json: bool) -> None:
    problems = [str(problem) for problem in getattr(error, "problems", ())]
    if as_json:
        show_json({"error": slug(type(error)), "detail": str(error), "problems": problems})
    err.print(f"Error: {error}", style="red")
    for problem in problems if len(problems) > 1 else []:
        err.print(f"  {problem}")
