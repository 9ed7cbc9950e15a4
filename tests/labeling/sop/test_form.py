"""The form that a tree becomes, and the walk that comes back from it."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.sop.form import answers_of, controls, form
from tests.labeling.sop.made import policy, sop, steps


def sent(choices: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [says]}}
        for name, says in choices.items()
    ]


def test_each_question_is_seen_after_the_answer_that_leads_to_it() -> None:
    view = ET.fromstring(form(sop(), policy()))  # noqa: S314 - made here
    names = [choices.attrib["name"] for choices in view.iter("Choices")]
    assert names == ["c1_target", "c2_threat", "c3_slur"]
    seen = {
        (v.attrib["whenTagName"], v.attrib["whenChoiceValue"], h.attrib["value"])
        for v in view.iter("View")
        if "whenTagName" in v.attrib
        for h in v.findall("Header")
    }
    assert ("c1_target", "yes", "Is harm announced to them?") in seen
    assert ("c2_threat", "yes", "Verdict: violates, Threat, S3. Action: remove.") in seen
    assert sop().tree_hash[:12] in form(sop(), policy())


def test_a_step_that_two_ways_lead_to_stands_twice() -> None:
    two = [{"says": "yes", "go": "slur"}, {"says": "no", "go": "slur"}, {"says": "unclear", "go": "ask"}]
    tree = sop(steps=steps(threat={"answers": two}))
    assert [control.step.id for control in controls(tree)] == ["target", "threat", "slur", "slur"]
    assert len({control.name for control in controls(tree)}) == 4
    told = answers_of(tree, sent({"c1_target": "yes", "c2_threat": "no", "c3_slur": "no", "c4_slur": "yes"}))
    assert told == {"target": "yes", "threat": "no", "slur": "yes"}  # what was left standing under "yes" is dropped


def test_too_many_ways_are_refused() -> None:
    doubling = [
        {
            "id": f"q{i}",
            "question": "?",
            "answers": [{"says": says, "go": f"q{i + 1}" if i < 9 else "allowed"} for says in ("a", "b")],
        }
        for i in range(10)
    ]
    with pytest.raises(InvalidInput, match="more than 200 questions"):
        controls(sop(start="q0", steps=doubling))


SAYS = st.sampled_from(["yes", "no", "unclear"])


@given(st.fixed_dictionaries(dict.fromkeys(("c1_target", "c2_threat", "c3_slur"), SAYS)))
def test_what_comes_back_is_the_walk_and_nothing_off_it(choices: dict[str, str]) -> None:
    told = answers_of(sop(), sent(choices))
    passed, leaf = sop().walk({name[3:]: says for name, says in choices.items()})
    assert tuple(told) == passed
    assert leaf is not None


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("x", "expected a list"),
        ([1], "one choice for each control"),
        ([*sent({"c1_target": "yes"}), {"from_name": "c2_threat", "value": {"choices": ["a", "b"]}}], "one choice"),
        (sent({"c1_target": "perhaps"}), "'perhaps' is not one of its answers"),
    ],
)
def test_what_no_form_sends_is_refused(result: object, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        answers_of(sop(), result)
