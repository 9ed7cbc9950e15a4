"""Progress on a terminal and on a pipe: how far, how fast, how long still."""

from __future__ import annotations

import time
from itertools import count

import pytest
from rich.progress import Progress

from api.cli import output
from api.jobs.records import Job


def job(stage: str, done: int, total: int) -> Job:
    return Job(
        job_id="score-1",
        kind="score",
        state="running",
        progress={"stage": stage, "done": done, "total": total},
        result=None,
        error=None,
        created_at_s=0,
        updated_at_s=0,
    )


def test_a_pipe_gets_lines_with_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = count(0, 20)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with output.job_bar("score") as watch:
        watch(job("score", 100, 1000))
        watch(job("score", 100, 1000))
        watch(job("score", 500, 1000))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["score", "score: score 100/1000", "score: score 100/1000"]
    assert lines[3].startswith("score: score 500/1000, ")
    assert lines[3].endswith(" s left")


def test_a_terminal_gets_a_rate() -> None:
    clock = count(0, 2)
    progress = Progress(output._Rate(), get_time=lambda: float(next(clock)))
    progress.add_task("score", total=1000)
    task = progress.tasks[0]
    assert output._Rate().render(task).plain == ""
    for done in (100, 300, 500):
        progress.update(task.id, completed=done)
    assert output._Rate().render(task).plain.endswith("/s")
