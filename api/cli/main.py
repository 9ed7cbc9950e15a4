"""The command ``goldfold``: it parses, calls the rooms, and turns their errors into one line and an exit code.

Exit codes: 0 done; 1 an error, said in one sentence on standard error; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import click
import typer

from api import logs
from api.cli import content, demo, golden, models, rounds, system
from api.cli.output import err, show_json
from api.cli.session import Given
from api.composition import offline_by_default
from api.errors import ROOTS, slug

app = typer.Typer(
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
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")] = None,
    _shown: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Options given here rank above the environment (GOLDFOLD_*), which ranks above the settings file."""
    flags = {"data_dir": data_dir, "studio_url": studio_url, "log_level": log_level}
    context.obj = Given(config, {key: value for key, value in flags.items() if value is not None})
    logs.configure(log_level or "warning", as_json=False)


app.command("serve")(system.serve_command)
app.command("ingest")(content.ingest_command)
app.command("score")(content.score_command)
app.command("round")(rounds.round_command)
app.command("rounds")(rounds.rounds_command)
app.command("sync")(rounds.sync_command)
app.command("adjudicate")(rounds.adjudicate_command)
app.add_typer(golden.app, name="golden")
app.command("train")(models.train_command)
app.command("evaluate")(models.evaluate_command)
app.command("promote")(models.promote_command)
app.command("models")(models.models_command)
app.add_typer(system.keys_app, name="keys")
app.command("doctor")(system.doctor_command)
app.command("demo")(demo.demo_command)


def run() -> None:
    """The entry point."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    offline_by_default()
    try:
        code = app(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        err.print("Interrupted; the same command goes on where it stopped")
        return 130
    except ROOTS as error:
        _show(error, as_json="--json" in arguments)
        return 1
    return code if isinstance(code, int) else 0


def _show(error: Exception, *, as_json: bool) -> None:
    problems = [str(problem) for problem in getattr(error, "problems", ())]
    if as_json:
        show_json({"error": slug(type(error)), "detail": str(error), "problems": problems})
    err.print(f"Error: {error}", style="red", markup=False)
    for problem in problems if len(problems) > 1 else []:
        err.print(f"  {problem}", markup=False)
