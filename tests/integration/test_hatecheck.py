"""HateCheck's ten named annotators, replayed through a real Label Studio: each has an account, gives each answer there,
and the answers are pulled into the ledger and brought to one an item by every aggregator.

A part of the set by default; ``GOLDFOLD_TEST_HATECHECK_ITEMS=3728`` and ``--timeout=3000`` replay all of it and print
the table of the README (``-s``).
"""

from __future__ import annotations

import gzip
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.quality.aggregate import AGGREGATORS
from labeling.quality.votes import Votes
from labeling.records import Answer, Outcome, TaskKind, TaskState
from labeling.store.ledger import open_ledger
from labeling.studio.accounts import create_account
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import ensure_project
from labeling.studio.pull import pull_project
from labeling.studio.push import push_tasks
from tests.labeling.studio.build import make_policy, make_tasks
from tests.realdata import real_set
from tests.studio_server import PASSWORD

pytestmark = [pytest.mark.studio, pytest.mark.slow]

ITEMS = int(os.environ.get("GOLDFOLD_TEST_HATECHECK_ITEMS", "100"))
SAYS = {"hateful": Answer(Outcome.VIOLATES, "threats", 2), "non-hateful": Answer(Outcome.ALLOWED)}
Triple = tuple[str, str, str]


def test_ten_annotators_answers_come_back_whole_and_agree_on_gold(
    studio_server: EmbeddedStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = records(real_set("hatecheck.jsonl.gz"))
    came = replay(studio_server, rows, tmp_path)
    sent = {(row["text"], who, said) for row in rows for who, said in row["annotations"].items()}
    assert set(came) == sent
    assert len(came) == len(sent)
    truth = {row["text"]: row["label"] for row in rows}
    table = {name: [accuracy(came, truth, name, overlap) for overlap in (2, 3, 5)] for name in AGGREGATORS}
    assert all(accuracies[2] >= 0.99 for accuracies in table.values()), table  # gold is what most of the five say
    assert all(of[0] >= table["majority"][0] - 0.015 for of in table.values()), table
    with capsys.disabled():
        for name, accuracies in table.items() if "GOLDFOLD_TEST_HATECHECK_ITEMS" in os.environ else ():
            print(f"| {name} | {' | '.join(f'{100 * each:.2f} %' for each in accuracies)} |")


def records(path: Path) -> list[dict[str, Any]]:
    """Evenly out of the whole set, each text once."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        every = {row["text"]: row for row in map(json.loads, lines)}
    rows = list(every.values())
    return rows[:: max(1, len(rows) // ITEMS)][:ITEMS]


def replay(server: EmbeddedStudio, rows: list[dict[str, Any]], folder: Path) -> list[Triple]:
    """(text, annotator, label) as the ledger has them in the end."""
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    policy = make_policy()
    tasks = make_tasks(ledger, policy, [row["text"] for row in rows], overlap=5)
    names = sorted({who for row in rows for who in row["annotations"]})
    with ExitStack() as stack:
        stack.callback(ledger.close)
        admin = stack.enter_context(server.client(60.0))
        people = {who: stack.enter_context(_person(server, who)) for who in names}
        project = ensure_project(admin, ledger.projects, policy, TaskKind.BLIND, overlap=5)
        assert push_tasks(admin, ledger.tasks, ledger.projects, project, tasks, "test").sent == len(rows)
        there = ledger.tasks.where(states=(TaskState.SENT,), project_id=project.project_id)
        by_text = {row["text"]: row["annotations"] for row in rows}
        for task in there:
            for who, said in by_text[task.text].items():
                people[who].annotate(task.studio_task_id or 0, build_result(SAYS[said]), 3.0)
        pull_project(admin, ledger, project, policy)
        current = ledger.annotations.current([task.task_id for task in there])
        labels = {answer.outcome: label for label, answer in SAYS.items()}
        return [
            (task.text, _name(answer.annotator), labels[answer.answer.outcome])
            for task in there
            for answer in current[task.task_id]
        ]


def accuracy(came: list[Triple], truth: dict[str, str], name: str, overlap: int, seeds: int = 3) -> float:
    """Mean over seeds that choose ``overlap`` of each item's answers."""
    by_item: dict[str, list[Triple]] = {}
    for triple in sorted(came):
        by_item.setdefault(triple[0], []).append(triple)
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        chosen = [one[i] for one in by_item.values() for i in sorted(rng.permutation(len(one))[:overlap])]
        votes = Votes.of(chosen)
        labels = AGGREGATORS[name](votes, {}).labels
        right = [votes.classes[k] == truth[item] for item, k in zip(votes.item_names, labels, strict=True)]
        found.append(float(np.mean(right)))
    return float(np.mean(found))


def _person(server: EmbeddedStudio, who: str) -> StudioClient:
    token = create_account(server.base_url, server.account.token, f"{who}@hatecheck.example", PASSWORD)
    return StudioClient(server.base_url, token, 60.0)


def _name(address: str) -> str:
    return address.partition("@")[0]
