"""The command ``goldfold demo``: an embedded Label Studio, the service, and the loop on real content."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from api.auth import ensure_first_key
from api.cli.output import bar, err, job_bar, out, show_json, table
from api.cli.session import Given, JsonFlag, given
from api.demo.passwords import demo_passwords
from api.demo.ports import free_port
from api.demo.replay import hire
from api.demo.report import Report, make_report
from api.demo.story import Story
from api.server import serving
from api.service import Service
from configs.settings import Settings
from labeling.studio.embedded import EmbeddedStudio

STUDIO_VENV = Path(".venv-studio")
DEMO_DIR = Path("data/demo")
MAX_TOKENS = 128  # half of the default: the first start waits for nothing but the encoder
PARTITIONS = {"train": 0.55, "dev": 0.35, "sealed": 0.1}  # so few labels: more of them judge than usual


def demo_command(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End after the report instead of staying up.")] = False,
    studio_venv: Annotated[Path, typer.Option(help="Virtualenv that holds label-studio.")] = STUDIO_VENV,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole loop twice on real content, with a Label Studio of its own; needs no settings.

    It goes on where an earlier start stopped. To start anew, delete its folder (data/demo).

    Examples:

      goldfold demo

      goldfold demo --once --json
    """
    folder: Path = given(context).flags.get("data_dir", DEMO_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    with _studio(studio_venv, folder / "studio", quiet=as_json) as studio:
        settings = _settings(given(context), folder, studio)
        with Service(settings) as service, serving(service):
            key = ensure_first_key(service.goldfold.ledger.keys)
            people = hire(studio.base_url, studio.account.token, demo_passwords(folder))
            story = Story(service, people, partial(bar, quiet=as_json), partial(job_bar, quiet=as_json))
            turns = story.run()
            report = make_report(service.goldfold, story.demo_set, turns)
            addresses = _addresses(settings, studio, folder, key)
            _show(report, addresses, as_json=as_json)
            if not once:
                err.print("Both stay up until Ctrl-C")
                with suppress(KeyboardInterrupt):
                    threading.Event().wait()
                err.print("Stopping; the next start shows what was done")


@contextmanager
def _studio(venv: Path, folder: Path, *, quiet: bool) -> Iterator[EmbeddedStudio]:
    studio = EmbeddedStudio(venv, folder)
    with bar("Label Studio starts (about a minute the first time)", quiet=quiet) as tick:
        studio.start(lambda seconds, _line: tick(int(seconds), 0))
    try:
        yield studio
    finally:
        studio.stop()


def _settings(options: Given, folder: Path, studio: EmbeddedStudio) -> Settings:
    port = free_port()
    return options.settings(
        data_dir=folder,
        port=port,
        studio_url=studio.base_url,
        studio_token=studio.account.token,
        studio_settle_s=5.0,
        partitions=PARTITIONS,
        max_tokens=MAX_TOKENS,
        studio_webhook_secret=secrets.token_urlsafe(24),
    )


def _addresses(settings: Settings, studio: EmbeddedStudio, folder: Path, key: str | None) -> dict[str, str]:
    return {
        "Goldfold": f"http://{settings.host}:{settings.port}",
        "Goldfold's console": f"http://{settings.host}:{settings.port}/console/ (sign in with the key)",
        "Goldfold's admin key": key or "shown on the first start only (goldfold --data-dir ... keys create)",
        "Label Studio": studio.base_url,
        "Label Studio's accounts": f"{studio.account.email}, and the demo's people; passwords in {folder}",
    }


def _show(report: Report, addresses: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        show_json({**report.data, "addresses": addresses})
        return
    for title, columns, rows in report.tables:
        table(title, columns, rows)
    for line in report.lines:
        out.print(f"- {line}", markup=False)
    for name, address in addresses.items():
        out.print(f"{name}: {address}", markup=False)
