"""What a change would cost, and how far its labels have been given again; nothing of it tells a sealed label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.policy_preview import Preview, preview
from labeling.policy_progress import progress, stale_list
from labeling.policy_publish import Change, plan_change, publish_change
from labeling.policy_relabel import open_relabel
from labeling.policy_versions import ChangeKind
from labeling.records import Answer, Outcome, Partition
from tests.figures import assert_whole
from tests.labeling.golden.desk import Desk, open_desk
from tests.labeling.golden.made import NOW
from tests.labeling.test_policy_versions import policy

K = ChangeKind


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Five labels: three violate by one rule, two are allowed; one of either is sealed, the others are in train."""
    made = open_desk(tmp_path)
    publish(made, "1.0.0", K.NEW)
    made.ingest({f"i{n}": (f"words of {n} {n * 7}", n * 40.0) for n in range(5)})
    for n in range(5):
        item = made.label(f"i{n}", Answer(Outcome.ALLOWED) if n % 2 else Answer(Outcome.VIOLATES, "slur", 2))
        assert item is not None
        to = Partition.SEALED if n < 2 else Partition.TRAIN
        made.ledger.golden.regroup([item.group_id], item.group_id, to)
    yield made
    made.ledger.close()


def publish(desk: Desk, version: str, kind: ChangeKind) -> None:
    publish_change(desk.ledger, plan_change(desk.ledger, policy(version), Change((kind,), "why", "ann"), NOW))


def foreseen(desk: Desk, version: str, kind: ChangeKind, *rules: str) -> Preview:
    wanted = policy(version)
    planned = plan_change(desk.ledger, wanted, Change((kind,), "why", "ann", rules), NOW)
    return preview(desk.ledger, desk.lake, wanted, planned, None, 2)


def test_labels_flips_and_minutes_and_a_bound_on_sealed_ones(desk: Desk) -> None:
    tight, loose = foreseen(desk, "1.1.0", K.TIGHTEN), foreseen(desk, "1.1.0", K.LOOSEN, "slur")
    assert (tight.stale, tight.asked.labels, loose.stale, loose.asked.labels) == (1, 1, 2, 2)
    assert tight.sealed_at_most == loose.sealed_at_most == 2  # whatever their labels are
    # two people said the same, so a chance is the model's voice (unsure) of three
    assert (tight.asked.flips, loose.asked.flips, loose.asked.by_model) == (0.17, 0.33, 0)
    (flips,) = assert_whole(loose.as_dict())
    assert (flips["value"], flips["n"], flips["policy_version"]) == (0.33, 2, "1.1.0")
    assert loose.asked.minutes == pytest.approx(2 * 2 * (0.25 + len("words of 2 14") / 1200), abs=0.06)
    assert tight.difference is not None
    assert tight.difference.keys == ["version"]
    nothing = foreseen(desk, "1.0.1", K.CLARIFY)
    assert (nothing.asked.labels, nothing.sealed_at_most, nothing.asked.minutes) == (0, 0, 0)
    gone = foreseen(desk, "2.0.0", K.RETIRE)
    assert (gone.retired, gone.asked.labels, gone.sealed_at_most) == (5, 0, 0)
    assert set(tight.as_dict()) == {
        "versions", "touched", "stale", "retired", "sealed_at_most", "asked", "difference"
    }  # fmt: skip


def test_progress_and_what_waits(desk: Desk) -> None:
    publish(desk, "1.1.0", K.LOOSEN)
    now = policy("1.1.0")
    waiting = stale_list(desk.ledger, desk.lake, now, None)
    assert (waiting.unasked, waiting.sealed, len(waiting.rows)) == (3, 1, 2)
    assert {row.external_id for row in waiting.rows} == {"ext-i2", "ext-i4"}
    assert len(stale_list(desk.ledger, desk.lake, now, None, limit=1).rows) == 1
    made = open_relabel(desk.ledger, desk.lake, now, {}, budget=2, overlap=2)
    told = progress(desk.ledger, desk.lake, now, None, 2)
    assert (told.version, told.stale, told.active, told.asked, told.waiting) == ("1.1.0", 3, 2, 2, 1)
    assert told.by_partition == {"sealed": (1, 1), "train": (2, 1)}
    (one,) = told.rounds
    assert (one.round_id, one.labels, one.tasks, one.compared, one.flipped) == (made.round_id, 2, {"queued": 2}, 0, 0)
