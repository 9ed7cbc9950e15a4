from __future__ import annotations

from labeling.sop.outline import MOST_DEPTH, Node, outline, steps_to
from labeling.sop.tree import Sop
from tests.labeling.sop.made import TREE


def _steps(nodes: list[Node]) -> list[str]:
    found = []
    for node in nodes:
        found.append(node.step.id)
        found += _steps([way.node for way in node.ways if way.node is not None])
    return found


def test_each_question_stands_once_where_the_first_way_leads() -> None:
    (root,) = outline(Sop.model_validate(TREE))
    assert _steps([root]) == ["target", "threat", "slur"]
    assert [way.leaf.id if way.leaf else way.to for way in root.ways[1:]] == ["allowed", "ask"]


def test_a_second_way_refers_to_the_step_and_what_nothing_leads_to_is_told_last() -> None:
    steps = [dict(step) for step in TREE["steps"]]
    steps[0] = {**steps[0], "answers": [{"says": "yes", "go": "threat"}, {"says": "maybe", "go": "slur"}]}
    stray = {**steps[2], "id": "stray"}
    first, last = outline(Sop.model_validate({**TREE, "steps": [*steps, stray]}))
    assert [way.to for way in first.ways] == ["", "slur"]
    assert last.step.id == "stray"


def test_a_long_chain_is_cut_into_parts_and_loses_no_step() -> None:
    names = [f"step_{n}" for n in range(2 * MOST_DEPTH + 3)]
    steps = [
        {"id": name, "question": "And?", "answers": [{"says": "yes", "go": onward}, {"says": "no", "go": "allowed"}]}
        for name, onward in zip(names, [*names[1:], "ask"], strict=True)
    ]
    roots = outline(Sop.model_validate({**TREE, "start": names[0], "steps": steps}))
    assert (_steps(roots), len(roots)) == (names, 3)


def test_the_steps_on_the_way_to_a_rule() -> None:
    sop = Sop.model_validate(TREE)
    assert steps_to(sop, "threat") == ["target", "threat"]
    assert steps_to(sop, "slur") == ["target", "threat", "slur"]
    assert steps_to(sop, "nothing") == []
