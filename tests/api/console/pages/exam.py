"""A site whose gold has errors in it, with two golden versions, and two models of it where they are asked for."""

from __future__ import annotations

import atexit
import shutil
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from api.composition import Goldfold
from api.jobs import steps
from configs.settings import Settings
from labeling.golden.publish import publish
from labeling.records import Answer, GoldAction, Outcome, RoundState
from labeling.settle import settle_all
from labeling.standing import change
from tests.api.site import NOW, WordGoldfold, event_of, score_all, select, settings, stock

SHARES = {"train": 0.3, "calibration": 0.25, "dev": 0.25, "sealed": 0.2}
MARGINS = {str(severity): 0.25 for severity in range(5)}
WRONG = 9  # every so many answers are not what the words would tell
RULE = "general"  # of ``HARM``


def examined(folder: Path, **more: Any) -> WordGoldfold:
    """A copy of the site in ``folder``; it is made once a process."""
    shutil.copytree(_made(), folder / "data")
    return WordGoldfold(_settings(folder / "data", **more))


def train(goldfold: WordGoldfold) -> None:
    """The models ``hate-1`` and ``hate-2``, which are alike."""
    for seed, name in enumerate(("hate-1", "hate-2")):
        steps.train(goldfold, name, "1.0.0", seed)


def retired(goldfold: Goldfold) -> str:
    """The item that the second version has not."""
    rows = goldfold.ledger.golden.items(partition="train")
    return min(row.external_id for row in rows)


@cache
def _made() -> Path:
    folder = Path(mkdtemp(prefix="goldfold-exam-")) / "data"
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    goldfold = WordGoldfold(_settings(folder))
    stock(goldfold, 150)
    score_all(goldfold)
    select(goldfold, budget=140)
    _answer(goldfold)
    golden = goldfold.ledger.golden
    publish(golden, goldfold.golden_dir, NOW, author="somebody")
    change(goldfold.ledger, retired(goldfold), None, GoldAction.RETIRED, actor="somebody", reason="nobody posts that")
    publish(golden, goldfold.golden_dir, NOW + timedelta(days=1), author="somebody")
    goldfold.close()
    return folder


def _settings(folder: Path, **more: Any) -> Settings:
    return settings(folder, partitions=SHARES, gate_margins=MARGINS, sealed_min_cell=13, device="cpu", **more)


def _answer(goldfold: WordGoldfold) -> None:
    """As ``tests.api.site.gild``, but that two people are of another mind than the words every now and then."""
    ledger = goldfold.ledger
    tasks = sorted(ledger.tasks.where(round_id="week-1"), key=lambda task: task.text)  # their ids are drawn anew
    ledger.tasks.mark_sending([task.task_id for task in tasks], 1)
    ledger.tasks.mark_sent({task.task_id: n for n, task in enumerate(tasks, 1)})
    ledger.rounds.set_state("week-1", RoundState.OPEN)
    events = [event_of(goldfold, n, person) for n in enumerate(tasks) for person in (1, 2)]
    flipped = {task.task_id for n, task in enumerate(tasks) if not n % WRONG}
    ledger.annotations.append(
        [replace(event, answer=_other(event.answer)) if event.task_id in flipped else event for event in events]
    )
    settle_all(ledger, goldfold.lake, goldfold.groups)


def _other(answer: Answer | None) -> Answer:
    if answer is not None and answer.outcome is Outcome.VIOLATES:
        return Answer(Outcome.ALLOWED)
    return Answer(Outcome.VIOLATES, rule=RULE, severity=2)
