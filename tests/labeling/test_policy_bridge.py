"""A sample under both versions: what is asked, what is known, and what is left where a process was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.errors import Conflict, NotFound, NothingToDo
from labeling.policy_bridge import Opened, bridge_report, open_bridge
from labeling.policy_versions import ChangeKind, PolicyVersion, version_of
from labeling.purposes import NEW, OLD, is_old_side
from labeling.records import Answer, Outcome, RoundState
from labeling.rounds import cancel_round
from tests.labeling.golden.desk import Desk, open_desk
from tests.labeling.golden.made import NOW
from tests.labeling.test_policy_versions import policy

YES, NO = Answer(Outcome.VIOLATES, "slur", 2), Answer(Outcome.ALLOWED)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path)
    history: list[PolicyVersion] = []
    for version, kind in (("1.0.0", ChangeKind.NEW), ("1.0.1", ChangeKind.CLARIFY), ("1.1.0", ChangeKind.TIGHTEN)):
        history.append(version_of(policy(version), [kind], history, reason="x", actor="ann", at=NOW))
    made.ledger.policies.first(history[:1])
    for one in history[1:]:
        made.ledger.policies.publish([one])
    made.ingest({f"i{n}": (f"words of {n} {n * 7}", n * 17.0) for n in range(10)})
    yield made
    made.ledger.close()


def opened(desk: Desk, size: int = 10) -> Opened:
    history = desk.ledger.policies.all()
    return open_bridge(desk.ledger, desk.lake, history, (policy("1.0.1"), policy("1.1.0")), None, size=size, overlap=2)


def asked(desk: Desk, round_id: str) -> set[str]:
    return {task.item_id for task in desk.ledger.tasks.where(round_id=round_id)}


def test_a_label_that_holds_counts_for_the_old_side_and_never_for_the_new(desk: Desk) -> None:
    desk.label("i0", YES)  # under 1.0.0, which 1.0.1 only clarified
    desk.label("i1", NO, version="1.1.0")
    made = opened(desk)
    assert (made.sample, made.frame, made.old_known, made.new_known) == (10, 10, 1, 1)
    every = {f"i{n}" for n in range(10)}
    assert asked(desk, made.old_round) == every - {"i0"}
    assert asked(desk, made.new_round) == every - {"i1"}
    old, new = (desk.ledger.rounds.get(name) for name in (made.old_round, made.new_round))
    assert (is_old_side(old), is_old_side(new)) == (True, False)
    assert {pick.pi for pick in desk.ledger.rounds.picks(made.new_round)} == {1.0}
    report = bridge_report(desk.ledger, "harm", "1.1.0")
    assert (report.answered, report.waiting, report.lost) == (0, 10, 0)


def test_who_is_drawn_has_a_known_probability(desk: Desk) -> None:
    made = opened(desk, 4)
    picks = desk.ledger.rounds.picks(made.new_round)
    assert [round(pick.pi or 0, 6) for pick in picks] == [0.4] * 4  # without scores all are drawn alike
    assert asked(desk, made.old_round) == asked(desk, made.new_round)


def test_a_bridge_is_drawn_once_and_again_when_it_was_cancelled(desk: Desk) -> None:
    made = opened(desk)
    with pytest.raises(NothingToDo, match="is there already"):
        opened(desk)
    cancel_round(desk.ledger, made.new_round)
    with pytest.raises(Conflict, match="is cancelled: cancel what belongs to it too"):
        opened(desk)
    cancel_round(desk.ledger, made.old_round)
    with pytest.raises(NotFound, match=r"no bridge to 1\.1\.0 yet"):
        bridge_report(desk.ledger, "harm", "1.1.0")
    assert opened(desk).new_round == "bridge-harm-1.1.0-2-new"


def test_what_a_killed_process_left_is_gone_on_with(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    create = desk.ledger.rounds.create

    def dying(round_: object) -> object:
        if getattr(round_, "plan")["side"] == NEW:  # noqa: B009 - any round
            raise Killed
        return create(round_)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.ledger.rounds, "create", dying)
    with pytest.raises(Killed):
        opened(desk, 5)
    monkeypatch.undo()
    made = opened(desk, 7)
    assert made.sample == 5
    assert asked(desk, made.old_round) == asked(desk, made.new_round)
    assert desk.ledger.rounds.get(made.old_round).state is RoundState.OPEN
    assert desk.ledger.rounds.get(made.old_round).plan["side"] == OLD
