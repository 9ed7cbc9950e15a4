"""Gold replayed: simulated people who misread one question, and the replay that has to name it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from labeling.errors import InvalidInput, NothingToDo
from labeling.records import GoldenItem, GoldState, Outcome, Partition
from labeling.sop.replay import Walk, replay
from tests.labeling.golden.made import golden_item
from tests.labeling.sop.made import leaves, sop

N = 120
RIGHT = {
    "threat": {"target": "yes", "threat": "yes"},
    "slur": {"target": "yes", "threat": "no", "slur": "yes"},
    None: {"target": "yes", "threat": "no", "slur": "no"},
}


def gold() -> list[GoldenItem]:
    """A third of each verdict."""
    rules = ("threat", "slur", None)
    return [
        golden_item(f"g{i}", outcome=Outcome.VIOLATES if rules[i % 3] else Outcome.ALLOWED, rule=rules[i % 3])
        for i in range(N)
    ]


Misread = Callable[[np.random.Generator, int, str], bool]  # whether a person, about an item, gets a step wrong


def walks(misread: Misread, people: int = 3, seed: int = 1) -> list[Walk]:
    """Everybody walks every item as its gold asks, but for what is misread, and as their answers lead from there."""
    rng, found = np.random.default_rng(seed), []
    for item in gold():
        drawn = int(rng.integers(2**31))
        for person in range(people):
            said = dict(RIGHT[item.rule])
            for step in list(said):
                if misread(np.random.default_rng([drawn, person]), drawn, step):
                    said[step] = "no" if said[step] == "yes" else "yes"
            said.setdefault("slur", "no")
            found.append(Walk(item.item_id, f"p{person}", said))
    return found


def test_nothing_is_named_where_people_follow_the_tree() -> None:
    told = replay(sop(), gold(), walks(lambda *_: False), "1.0.0")
    assert (told.worst, told.right.value, told.walks, told.golden_version) == ("", 1.0, 3 * N, "1.0.0")
    assert {step.verdict for step in told.steps} == {"fine"}


def test_a_question_that_people_read_differently_is_ambiguous() -> None:
    told = replay(sop(), gold(), walks(lambda rng, _, step: step == "threat" and rng.random() < 0.3))
    verdicts = {step.step: step.verdict for step in told.steps}
    assert (told.worst, verdicts["threat"], verdicts["target"]) == ("threat", "ambiguous", "fine")
    by_step = {step.step: step for step in told.steps}
    assert by_step["threat"].agreement.observed.value < by_step["target"].agreement.observed.value  # type: ignore[operator]
    assert told.right.value is not None
    assert told.right.value < 0.9


def test_a_question_that_everybody_reads_alike_and_wrong_is_misleading() -> None:
    told = replay(sop(), gold(), walks(lambda _, drawn, step: step == "slur" and drawn % 10 < 3))
    verdicts = {step.step: step.verdict for step in told.steps}
    assert (told.worst, verdicts["slur"], verdicts["threat"]) == ("slur", "misleading", "fine")


def test_one_walk_an_item_cannot_tell_ambiguous_from_misleading() -> None:
    told = replay(sop(), gold(), walks(lambda rng, _, step: step == "threat" and rng.random() < 0.3, people=1))
    assert {step.step: step.verdict for step in told.steps}["threat"] == "losing"


def test_a_wrong_verdict_counts_at_one_step_only() -> None:
    told = replay(sop(), gold(), walks(lambda _, drawn, step: step == "target" and drawn % 2 == 0))
    lost = [item_id for step in told.steps for item_id in step.lost]
    assert len(lost) == len(set(lost))
    assert told.steps[0].kept.n == 3 * N
    assert len(lost) > N // 5
    assert told.steps[1].kept.n <= told.steps[0].kept.events  # only what was still in reach is judged further on
    assert told.steps[1].kept.value == 1.0


def test_few_walks_are_insufficient() -> None:
    told = replay(sop(), gold(), [Walk("g0", "p", {"target": "no"})])
    assert told.steps[0].verdict == "insufficient"
    assert told.right.value is None
    assert told.worst == ""


def test_gold_that_may_not_be_shown_is_not_replayed() -> None:
    hidden = [golden_item("a", partition=Partition.SEALED), golden_item("b", state=GoldState.QUARANTINED)]
    with pytest.raises(NothingToDo, match="none is about an active golden item of train or dev"):
        replay(sop(), hidden, [Walk("a", "p", {}), Walk("b", "p", {})])
    told = replay(sop(), [*hidden, golden_item("c")], [Walk("a", "p", {}), Walk("c", "p", {})])
    assert (told.walks, told.without_gold, told.unfinished) == (1, 1, 1)


def test_gold_that_no_leaf_says_is_told_and_judges_no_question() -> None:
    tree = sop(leaves=leaves(is_slur={"rule": "insult"}))
    told = replay(tree, gold(), walks(lambda *_: False))
    assert len(told.homeless) == N // 3
    assert told.right.n == 3 * (N - N // 3)


def test_an_answer_that_a_step_does_not_have_names_the_item() -> None:
    with pytest.raises(InvalidInput, match="item g0: step target: 'perhaps'"):
        replay(sop(), gold(), [Walk("g0", "p", {"target": "perhaps"})])


def test_it_is_json_able_and_says_its_versions() -> None:
    told = replay(sop(), gold(), walks(lambda *_: False), "1.2.0").as_dict()
    assert (told["golden_version"], told["policy_version"], told["tree_hash"]) == ("1.2.0", "1.0.0", sop().tree_hash)
    assert told["licence"]
