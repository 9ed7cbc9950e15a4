from __future__ import annotations

from typing import Any

from labeling.insights.policy_text import OF_STEPS, Reading, mark_of_definition, marks, reading
from labeling.policies import Policy, Rule
from labeling.quality.intervals import proportion
from labeling.sop.replay import LOSING
from labeling.sop.tree import Sop
from tests.labeling.sop.made import TREE

POLICY = Policy(
    id="harm",
    title="Harm",
    version="1.0.0",
    definition="Harm.",
    severity=3,
    threshold=0.5,
    rules=tuple(Rule(id=name, title=name, definition=name) for name in ("threat", "slur")),
)


def _cell(rule: str, agree: int, n: int) -> dict[str, object]:
    return {"policy": "harm", "rule_id": rule, "outcome": {"observed": proportion(agree, n).as_dict()}}


def test_a_share_is_read_by_its_interval() -> None:
    said = [reading(proportion(k, n).as_dict()) for k, n in ((0, 0), (5, 9), (40, 100), (91, 100), (199, 200))]
    assert said == [Reading.UNKNOWN, Reading.FEW, Reading.DIFFER, Reading.UNSURE, Reading.AGREE]
    assert reading(None) is Reading.UNKNOWN


def test_a_rule_is_marked_by_the_gravest_of_what_is_known() -> None:
    cells = [_cell("threat", 199, 200), {**_cell("slur", 40, 100), "policy": "other"}]
    sop = Sop.model_validate(TREE)
    blind = marks(POLICY, cells, sop, None)
    assert [(one["rule"], one["reading"], one["way"]) for one in blind] == [
        ("threat", Reading.AGREE, ["target", "threat"]),
        ("slur", Reading.UNKNOWN, ["target", "threat", "slur"]),
    ]
    steps = [{"step": "target", "verdict": "fine"}, {"step": "slur", "verdict": "misleading"}]
    replayed = marks(POLICY, cells, sop, {"steps": steps})
    assert [one["reading"] for one in replayed] == [Reading.AGREE, Reading.ASTRAY]
    assert [step["step"] for step in replayed[1]["steps"]] == ["target", "slur"]


def test_every_verdict_of_a_replay_is_read() -> None:
    assert OF_STEPS.keys() == {*LOSING, "fine", "insufficient"}


def test_the_definition_is_read_by_the_whole_policys_agreement() -> None:
    whole: dict[str, Any] = {**_cell("", 199, 200), "language": ""}
    cells = [{**_cell("", 40, 100), "language": "pt"}, {**_cell("threat", 40, 100), "language": ""}, whole]
    assert mark_of_definition("harm", cells) == {"reading": Reading.AGREE, "blind": whole["outcome"]["observed"]}
    assert mark_of_definition("other", cells) == {"reading": Reading.UNKNOWN, "blind": None}
