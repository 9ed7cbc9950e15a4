"""What the command line prints: tables and bars for people, one JSON document for programs."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from api.jobs.records import Job

Tick = Callable[[int, int], None]
LINE_EVERY_S = 10.0
FIGURES = ("loss", "dev_loss", "dev_auprc")  # of a job's progress

# No markup: names and paths may hold square brackets. No wrapping: a line that is searched for stays one line.
out = Console(highlight=False, soft_wrap=True, markup=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def show_json(value: object) -> None:
    """One JSON document on standard output, at once: whoever started a service waits for it."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def plain(value: object) -> Any:
    """A value in JSON's own types: records as objects, times as ISO 8601, enums as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(inner) for inner in value]
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no NaN: a figure that could not be computed is null
    return value


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; an empty one says so. A cell may be rich's Text."""
    if not rows:
        out.print(f"{title}: none")
        return
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else "" if cell is None else str(cell) for cell in row))
    out.print(made)


def show_origins(figures: Iterable[Mapping[str, Any]]) -> None:
    """A line for each licence and versions that these figures have, in order; their items stand in the JSON."""
    origins = ((one["licence"], one["golden_version"], one["policy_version"]) for one in figures)
    for licence, golden, policy in dict.fromkeys(origins):
        out.print(f"Licence: {licence}; golden {golden or 'none yet'}; policy {policy or 'none'}")


@contextmanager
def bar(label: str, *, quiet: bool = False) -> Iterator[Tick]:
    """A progress bar on standard error (a line now and then where that is no terminal); the caller says how many are
    done of how many."""
    if not err.is_terminal:
        yield _Lines(label, quiet).tick
        return
    with _progress(quiet) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def job_bar(label: str, *, quiet: bool = False) -> Iterator[Callable[[Job], None]]:
    """A progress bar that follows a job through its stages."""
    if not err.is_terminal:
        yield _Lines(label, quiet).watch
        return
    with _progress(quiet) as progress:
        task = progress.add_task(label, total=None)

        def watch(job: Job) -> None:
            said = job.progress
            stage = said.get("stage", job.state)
            progress.update(
                task,
                description=f"{label}: {stage}{_figures(said)}",
                completed=said.get("done", 0),
                total=said.get("total"),
            )

        yield watch


def _progress(quiet: bool) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=err,
        disable=quiet,
    )


class _Rate(ProgressColumn):
    """Items a second, as soon as two reports are in."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


def _figures(progress: Mapping[str, object]) -> str:
    """What a training measures, as a part of its line."""
    told = [
        f"{name.replace('_', ' ')} {value:.4f}" for name in FIGURES if isinstance(value := progress.get(name), float)
    ]
    return f" ({', '.join(told)})" if told else ""


class _Lines:
    """Progress where no bar can be drawn: one line when a stage begins, and one every ``LINE_EVERY_S`` seconds."""

    def __init__(self, label: str, quiet: bool) -> None:
        self._label, self._quiet = label, quiet
        self._stage, self._said_at = "", 0.0
        self._first: tuple[float, int] = (0.0, 0)  # when this stage was first seen, and how far it was then
        self._say("")

    def tick(self, done: int, total: int) -> None:
        if time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._say(f"{done}/{total}" if total else f"{done}")

    def watch(self, job: Job) -> None:
        stage = str(job.progress.get("stage", job.state))
        done, total = job.progress.get("done", 0), job.progress.get("total")
        if stage != self._stage:
            self._first = (time.monotonic(), done)
        if stage != self._stage or time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._stage = stage
            figures = _figures(job.progress)
            self._say(f"{stage}{figures} {done}/{total}{self._rate(done, total)}" if total else stage)

    def _rate(self, done: int, total: int) -> str:
        started, before = self._first
        if done <= before:
            return ""
        rate = (done - before) / (time.monotonic() - started)
        return f", {rate:,.0f}/s, {(total - done) / rate:,.0f} s left"

    def _say(self, what: str) -> None:
        self._said_at = time.monotonic()
        if not self._quiet:
            err.print(f"{self._label}: {what}" if what else self._label, markup=False)
