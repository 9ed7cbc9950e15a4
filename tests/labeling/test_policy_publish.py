"""What publishing would do, and which open tasks it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labeling.errors import InvalidInput, NotFound
from labeling.policy_publish import Change, history_of, named, plan_change, publish_change, retired, withdraw_pointless
from labeling.policy_relabel import open_relabel
from labeling.policy_versions import ChangeKind, version_of
from labeling.records import Answer, GoldState, Outcome, Partition, TaskState
from labeling.store.ledger import SqlLedger
from tests.labeling.golden.desk import Desk, open_desk
from tests.labeling.golden.made import NOW
from tests.labeling.test_policy_versions import policy

K = ChangeKind


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path)
    publish(made.ledger, "1.0.0", K.NEW)
    made.ingest({f"i{n}": (f"words of {n} {n * 7}", n * 40.0) for n in range(4)})
    for n in range(4):
        made.label(f"i{n}", Answer(Outcome.VIOLATES, "slur", 2) if n else Answer(Outcome.ALLOWED))
    yield made
    made.ledger.close()


def publish(ledger: SqlLedger, version: str, kind: ChangeKind, **more: tuple[str, ...]) -> dict[str, int]:
    change = Change((kind,), "why", "ann", **more)
    return publish_change(ledger, plan_change(ledger, policy(version), change, NOW))


def test_a_plan_counts_and_writes_nothing_and_tells_nothing_of_sealed_labels(desk: Desk) -> None:
    for item in desk.ledger.golden.items()[:2]:  # one of either label
        desk.ledger.golden.regroup([item.group_id], item.group_id, Partition.SEALED)
    before = desk.ledger.golden.items()
    for kind, rules in ((K.LOOSEN, ("slur",)), (K.LOOSEN, ()), (K.TIGHTEN, ()), (K.CLARIFY, ("slur",))):
        version = "1.0.1" if kind is K.CLARIFY else "1.1.0"
        planned = plan_change(desk.ledger, policy(version), Change((kind,), "why", "ann", rules), NOW)
        assert (planned.sealed_at_most, planned.items(GoldState.RETIRED)) == (2, 0)  # whatever is asked for
        assert planned.items(GoldState.STALE) == (0 if kind is K.TIGHTEN else 2)
        assert "sealed" not in {row.partition for row in planned.touched}
    nothing = plan_change(desk.ledger, policy("1.0.1"), Change((K.CLARIFY,), "why", "ann"), NOW)
    assert (nothing.touched, nothing.sealed_at_most) == ((), 0)
    gone = plan_change(desk.ledger, policy("2.0.0"), Change((K.RETIRE,), "why", "ann"), NOW)
    assert (gone.items(GoldState.RETIRED), gone.sealed_at_most) == (4, 0)  # every label goes, so none is told
    assert {row.rule for row in gone.touched if row.partition == "sealed"} == {"-"}
    assert (desk.ledger.golden.items(), len(desk.ledger.policies.all())) == (before, 1)


def test_predecessors_must_be_known(desk: Desk) -> None:
    with pytest.raises(NotFound, match="from: 'spam' is no policy"):
        plan_change(desk.ledger, policy("2.0.0"), Change((K.MERGE,), "why", "ann", (), ("spam",)), NOW)
    with pytest.raises(NotFound, match="'spam' is not published"):
        history_of(desk.ledger, "spam")


def test_a_label_that_is_asked_again_is_not_asked_under_two_versions(desk: Desk) -> None:
    publish(desk.ledger, "1.1.0", K.LOOSEN)
    first = open_relabel(desk.ledger, desk.lake, policy("1.1.0"), {}, budget=2, overlap=1)
    assert publish(desk.ledger, "1.2.0", K.TIGHTEN) == {"stale": 1, "retired": 0, "withdrawn": 2}
    tasks = desk.ledger.tasks.where(round_id=first.round_id)
    assert {(t.state, t.error) for t in tasks} == {
        (TaskState.WITHDRAWN, "its policy changed again before it was answered")
    }
    assert withdraw_pointless(desk.ledger) == 0


def test_a_retirement_takes_the_files_text_where_it_rises_by_a_major_step(desk: Desk) -> None:
    history = history_of(desk.ledger, "harm")
    assert retired(history, None).version == "2.0.0"
    assert retired(history, policy("1.1.0", definition="draft")).definition == policy().definition
    assert retired(history, policy("3.0.0", definition="last")).definition == "last"
    gone = version_of(retired(history, None), [K.RETIRE], history, reason="x", actor="ann", at=NOW)
    with pytest.raises(InvalidInput, match=r"retired already, by version 2\.0\.0"):
        retired([*history, gone], None)
    assert replace(gone, at=NOW) == gone


def test_kinds_have_names() -> None:
    assert named(["loosen", "clarify"]) == (K.LOOSEN, K.CLARIFY)
    with pytest.raises(InvalidInput, match="kind: widen is not one of tighten"):
        named(["widen"])
