"""What a command opens and closes: the settings it was given, Goldfold, and the jobs of this process.

Goldfold and the jobs are imported when a command opens them: they bring the stores, numerics and DBOS, which take
seconds, and a wrong option should be told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.output import err, job_bar
from configs.settings import Settings, load_settings

if TYPE_CHECKING:
    from api.composition import Goldfold
    from api.jobs.runtime import JobRuntime

REGISTERS = frozenset({"train", "finetune"})  # jobs at whose end there is a new candidate
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@dataclass(slots=True)
class Given:
    """The options before the command: they rank above the environment and the settings file."""

    config: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)

    def settings(self, **more: Any) -> Settings:
        """Read the settings. Raises SettingsError."""
        return load_settings(self.config, **{**self.flags, **{k: v for k, v in more.items() if v is not None}})


def given(context: typer.Context) -> Given:
    """The options before the command."""
    found = context.find_object(Given)
    return found if found is not None else Given()


@contextmanager
def goldfold(context: typer.Context, *, register: bool = True, **flags: Any) -> Iterator[Goldfold]:
    """Goldfold under the command's settings, closed at the end. ``register``: policies that the ledger does not know
    are published as new."""
    settings = given(context).settings(**flags)
    opened: Goldfold = import_module("api.composition").Goldfold(settings, register=register)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def jobs(app: Goldfold) -> Iterator[JobRuntime]:
    """The jobs of this process; unfinished ones that this process's slot left behind go on too."""
    runtime: JobRuntime = import_module("api.jobs.runtime").JobRuntime(app)
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.close()


def run_job(
    context: typer.Context,
    kind: str,
    job_id: str,
    request: dict[str, Any],
    *,
    quiet: bool,
    check: Callable[[Goldfold], None] | None = None,
) -> dict[str, Any]:
    """Run one job to its end with a progress bar. Raises what the job raised, as JobFailed, and what ``check`` raises
    before the job takes its id."""
    with goldfold(context) as app:
        if check is not None:
            check(app)
        return _run(app, kind, job_id, request, quiet=quiet)


def _run(app: Goldfold, kind: str, job_id: str, request: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    with jobs(app) as runtime, job_bar(kind, quiet=quiet) as watch:
        runtime.submit(kind, job_id, request)
        try:
            result = runtime.result(job_id, watch)
        except KeyboardInterrupt:
            err.print(f"Job {job_id} is not done: it goes on with the next goldfold command that runs jobs")
            raise
    if kind in REGISTERS:
        catch_up(app)
    return result


def catch_up(app: Goldfold) -> None:
    """Mirror what a command has moved in the registry, where there is a mirror; one that is away is said and no more:
    the service, or `goldfold models mirror`, catches up."""
    if app.settings.mlflow_url is None:
        return
    if error := import_module("api.registry_mirror").mirror_registry(app).error:
        err.print(f"The mirror is behind: {error}")
