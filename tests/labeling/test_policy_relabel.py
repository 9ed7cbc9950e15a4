"""The order of a relabel round, and which labels it may ask about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labeling.policy_relabel import open_relabel, ranked, touched_items
from labeling.policy_rounds import free_id
from labeling.policy_versions import ChangeKind, PolicyVersion, version_of
from labeling.purposes import RELABELS, purpose
from labeling.records import Answer, GoldenItem, Outcome, Partition, RoundState, TaskState
from tests.labeling.golden.desk import Desk, open_desk
from tests.labeling.golden.made import NOW, golden_item
from tests.labeling.test_policy_versions import policy

ALLOWED = Outcome.ALLOWED


def allowed(item_id: str, votes: dict[str, int], partition: Partition = Partition.TRAIN) -> GoldenItem:
    return replace(golden_item(item_id, outcome=ALLOWED, partition=partition), votes=votes)


def test_split_votes_and_a_model_that_contradicts_come_first() -> None:
    items = [
        allowed("sure", {"allowed": 2}),
        allowed("split", {"allowed": 1, "violates/threat": 1, "context_missing": 3}),
        allowed("doubted", {"allowed": 2}),
        replace(golden_item("grave"), severity=4),
    ]
    chances = {"sure": 0.1, "split": 0.1, "doubted": 0.9, "grave": 0.9}
    found = ranked(policy(), items, chances)
    assert [(one.item.item_id, round(one.chance, 3), one.severity) for one in found] == [
        ("split", 0.367, 2),  # 1 of 2 votes and 0.1 of a model: 1.1 / 3
        ("doubted", 0.3, 2),
        ("grave", 0.033, 4),
        ("sure", 0.033, 2),
    ]


def test_the_model_does_not_speak_of_what_judges_models() -> None:
    items = [allowed(name, {"allowed": 2}, place) for name, place in (("a", Partition.SEALED), ("b", Partition.DEV))]
    quiet, loud = ranked(policy(), items, {}), ranked(policy(), items, {"a": 0.01, "b": 0.99})
    assert [one.chance for one in quiet] == [one.chance for one in loud]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path)
    made.ledger.policies.first([version_of(policy(), [ChangeKind.NEW], [], reason="x", actor="ann", at=NOW)])
    made.ingest({f"i{n}": (f"words of {n} {n * 7}", n * 40.0) for n in range(4)})
    for n in range(4):
        made.label(f"i{n}", Answer(ALLOWED))
    yield made
    made.ledger.close()


def tighten(desk: Desk, version: str = "1.1.0") -> PolicyVersion:
    history = desk.ledger.policies.all()
    made = version_of(policy(version), [ChangeKind.TIGHTEN], history, reason="x", actor="ann", at=NOW)
    desk.ledger.policies.publish([made])
    return made


def test_only_stale_labels_that_nobody_is_asked_about(desk: Desk) -> None:
    assert touched_items(desk.ledger, "harm") == []
    assert touched_items(desk.ledger, "nobody") == []
    tighten(desk)
    round_ = open_relabel(desk.ledger, desk.lake, policy("1.1.0"), {}, budget=3, overlap=2)
    assert (round_.round_id, round_.state, purpose(round_)) == ("relabel-harm-1.1.0", RoundState.OPEN, RELABELS)
    assert round_.frame["stale"] == 4
    assert len(touched_items(desk.ledger, "harm")) == 1
    tasks = desk.ledger.tasks.where(round_id=round_.round_id)
    assert {(t.overlap, t.policy_version, t.state) for t in tasks} == {(2, "1.1.0", TaskState.QUEUED)}
    assert all(t.prompt == "" for t in tasks)
    assert free_id(desk.ledger.rounds, round_.round_id) == "relabel-harm-1.1.0-2"
    desk.ledger.tasks.set_state([t.task_id for t in tasks], TaskState.WITHDRAWN)
    assert len(touched_items(desk.ledger, "harm")) == 4  # as after a round that was cancelled
    assert open_relabel(desk.ledger, desk.lake, policy("1.1.0"), {}, budget=9, overlap=1).round_id.endswith("-2")


def test_what_a_killed_process_left_is_opened(desk: Desk) -> None:
    tighten(desk)
    plan: dict[str, object] = {"purpose": RELABELS, "policies": {"harm": "1.1.0"}}
    made = replace(desk.ledger.rounds.all()[0], round_id="left", plan=plan, state=RoundState.PLANNED)
    desk.ledger.rounds.create(made)
    desk.ledger.rounds.record_selection("left", [], [], {}, "", [])
    open_relabel(desk.ledger, desk.lake, policy("1.1.0"), {}, budget=1, overlap=1)
    assert desk.ledger.rounds.get("left").state is RoundState.OPEN
