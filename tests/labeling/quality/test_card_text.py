from __future__ import annotations

import pytest

from labeling.decision_records import ErrorType
from labeling.quality.attribution import Attribution, Culprit
from labeling.quality.card_text import ACTIONS, Told, card
from labeling.quality.intervals import proportion


def told(culprit: Culprit, level: str = "", cohort: str = "", cluster: str = "post-17") -> Told:
    return Told(
        gold="harm:violates/threat",
        given="harm:allowed",
        error=ErrorType.UNDER,
        cluster=cluster,
        cohort=cohort,
        level=level,
        rate=proportion(14, 40),
        other=proportion(60, 1200),
        lift=7.0,
        p=1.4e-8,
        q=1e-5,
        tests=700,
        attribution=Attribution(culprit, level, "content leads in 99% of draws", 1240, 74, (), ()),
    )


def test_a_card_is_read_aloud() -> None:
    made = card(told(Culprit.CONTENT, "post-17"))
    assert made.title == "harm:violates/threat is taken for harm:allowed, whoever decides, in content like post-17"
    assert made.lines[0].startswith("14 of 40 decisions are wrong so (too little is enforced; 95 % interval 22.1%")
    assert "of such decisions elsewhere 60 of 1,200 are" in made.lines[0]
    assert made.lines[1].startswith("That is 7.0 times as often. By chance it comes so far with p = 1.4e-08")
    assert made.lines[2] == "It moves with content like post-17: content leads in 99% of draws."
    assert made.action == "say in the policy what holds here, and add an example"


def test_of_a_person_there_are_intervals_only() -> None:
    made = card(told(Culprit.PERSON, "ann@example.org", "person", ""), points=False)
    assert made.title.endswith("by ann@example.org")
    text = " ".join(made.lines)
    assert "between 22% and 50%" in text
    assert "14 of" not in text
    assert "times as often" not in text


def test_a_whole_rule_is_held_against_other_gold() -> None:
    assert "of decisions of other gold 60 of 1,200" in card(told(Culprit.EVERYONE, cluster="")).lines[0]


@pytest.mark.parametrize("culprit", list(Culprit))
def test_every_verdict_has_words_and_an_action(culprit: Culprit) -> None:
    made = card(told(culprit, "x"))
    assert made.action == ACTIONS[culprit][1]
    assert made.lines[2].startswith("With what it moves cannot" if culprit is Culprit.UNKNOWN else "It moves with")
    assert "{" not in made.lines[2]
