from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.consensus import Agreed, Disputed, Doubtful, Waiting, Widening, author, decide, vote_key
from labeling.records import Annotation, Answer, How, Outcome
from tests.labeling.golden.made import NO, UNCLEAR, YES, annotation, blind_task

TASK = blind_task()


def test_too_few_people_means_waiting() -> None:
    assert decide(TASK, []) == Waiting(have=0, need=2)
    assert decide(TASK, [annotation("a", YES, 1)]) == Waiting(have=1, need=2)


def test_one_person_answering_twice_is_one_person() -> None:
    assert decide(TASK, [annotation("a", YES, 1), annotation("a", YES, 2)]) == Waiting(have=1, need=2)


def test_an_answer_belongs_to_whoever_wrote_it() -> None:
    rewritten = annotation("b", YES, 2, written_by="A ")
    assert author(rewritten) == "a"
    assert decide(TASK, [annotation("a", YES, 1), rewritten]) == Waiting(have=1, need=2)


def test_same_outcome_and_rule_is_unanimous() -> None:
    decision = decide(TASK, [annotation("a", YES, 1), annotation("b", YES, 2)])
    assert decision == Agreed(YES, How.UNANIMOUS, {"violates/threat": 2}, ("a", "b"))


def test_same_outcome_with_another_rule_is_a_disagreement() -> None:
    other = replace(YES, rule="slur")
    decision = decide(TASK, [annotation("a", YES, 1), annotation("b", other, 2)])
    assert isinstance(decision, Disputed)
    assert decision.reason == "rules differ: slur, threat"
    assert decision.votes == {"violates/slur": 1, "violates/threat": 1}


def test_other_outcome_is_a_disagreement() -> None:
    decision = decide(TASK, [annotation("a", YES, 1), annotation("b", NO, 2)])
    assert isinstance(decision, Disputed)
    assert decision.reason == "outcomes differ: allowed, violates"


@pytest.mark.parametrize(("low", "high", "agreed"), [(1, 2, 2), (0, 1, 1), (3, 3, 3), (None, 2, 2), (None, None, None)])
def test_neighbouring_severities_agree_on_the_graver(low: int | None, high: int | None, agreed: int | None) -> None:
    answers = [annotation("a", replace(YES, severity=low), 1), annotation("b", replace(YES, severity=high), 2)]
    decision = decide(TASK, answers)
    assert isinstance(decision, Agreed)
    assert decision.answer.severity == agreed


def test_severities_two_levels_apart_are_a_disagreement() -> None:
    answers = [annotation("a", replace(YES, severity=1), 1), annotation("b", replace(YES, severity=3), 2)]
    decision = decide(TASK, answers)
    assert isinstance(decision, Disputed)
    assert decision.reason == "severities differ: S1 to S3"


def test_rule_and_severity_of_an_allowed_item_are_nothing() -> None:
    odd = replace(NO, rule="threat", severity=4)
    decision = decide(TASK, [annotation("a", odd, 1), annotation("b", NO, 2)])
    assert decision == Agreed(NO, How.UNANIMOUS, {"allowed": 2}, ("a", "b"))


def test_context_missing_can_be_agreed() -> None:
    decision = decide(TASK, [annotation("a", UNCLEAR, 1), annotation("b", UNCLEAR, 2)])
    assert isinstance(decision, Agreed)
    assert decision.answer.outcome is Outcome.CONTEXT_MISSING


def test_a_dissenter_beyond_the_overlap_is_kept_but_overturns_nothing() -> None:
    answers = [annotation("a", YES, 1), annotation("b", YES, 2), annotation("c", NO, 3)]
    decision = decide(TASK, answers)
    assert decision == Agreed(YES, How.CONSENSUS, {"allowed": 1, "violates/threat": 2}, ("a", "b", "c"))


def test_an_edit_keeps_its_place_and_its_newest_answer() -> None:
    answers = [annotation("a", NO, 1, minute=9), annotation("b", NO, 2), annotation("c", YES, 3)]
    decision = decide(TASK, answers)
    assert isinstance(decision, Agreed)
    assert decision.answer.outcome is Outcome.ALLOWED


def test_an_overlap_of_one_needs_one_answer() -> None:
    assert isinstance(decide(blind_task(overlap=1), [annotation("a", YES, 1)]), Agreed)


def test_rationales_are_joined_once_and_the_least_confidence_is_kept() -> None:
    first = replace(YES, rationale=" clear ", confidence=5)
    second = replace(YES, rationale="clear", confidence=3)
    decision = decide(TASK, [annotation("a", first, 1), annotation("b", second, 2)])
    assert isinstance(decision, Agreed)
    assert (decision.answer.rationale, decision.answer.confidence) == ("clear", 3)


@pytest.mark.parametrize(("answer", "key"), [(NO, "allowed"), (YES, "violates/threat"), (UNCLEAR, "context_missing")])
def test_vote_keys(answer: Answer, key: str) -> None:
    assert vote_key(answer) == key


ANSWERS = st.builds(
    Answer,
    outcome=st.sampled_from(Outcome),
    rule=st.sampled_from([None, "threat", "slur"]),
    severity=st.sampled_from([None, 0, 1, 2, 3, 4]),
    confidence=st.sampled_from([None, 1, 5]),
)
ANNOTATIONS = st.lists(
    st.builds(
        lambda who, answer, number, minute: annotation(who, answer, number, minute=minute),
        st.sampled_from("abcd"),
        ANSWERS,
        st.integers(1, 50),
        st.integers(0, 3),
    ),
    max_size=7,
    unique_by=lambda a: a.studio_annotation_id,
)


@settings(deadline=None)
@given(ANNOTATIONS, st.integers(1, 3))
def test_the_order_of_arrival_never_matters(rows: list[Annotation], overlap: int) -> None:
    shuffled = sorted(rows, key=lambda a: a.studio_annotation_id * 7919 % 101)
    assert decide(blind_task(overlap=overlap), rows) == decide(blind_task(overlap=overlap), shuffled)


@settings(deadline=None)
@given(ANNOTATIONS, st.integers(1, 3))
def test_every_person_has_one_vote(rows: list[Annotation], overlap: int) -> None:
    decision = decide(blind_task(overlap=overlap), rows)
    people = {author(a) for a in rows}
    if isinstance(decision, Waiting):
        assert decision.have == len(people) < overlap
    else:
        assert not isinstance(decision, Doubtful)  # nobody asked for more people
        assert sum(decision.votes.values()) == len(people) == len(decision.annotators)


# --- adaptive overlap ---

OTHER = replace(YES, rule="other_rule")
MORE = Widening(max_overlap=3, sure=0.9)
WIDER = replace(TASK, overlap=3, extra=1)


def said(*answers: Answer) -> list[Annotation]:
    return [annotation(name, answer, n) for n, (name, answer) in enumerate(zip("abcd", answers, strict=False), start=1)]


@pytest.mark.parametrize("pair", [(YES, NO), (YES, OTHER), (NO, UNCLEAR)])
def test_a_difference_in_outcome_or_rule_asks_one_more(pair: tuple[Answer, Answer]) -> None:
    assert isinstance(decide(TASK, said(*pair)), Disputed)
    doubt = decide(TASK, said(*pair), MORE)
    assert isinstance(doubt, Doubtful)
    assert "differ" in doubt.reason
    assert isinstance(decide(TASK, said(*pair), Widening(max_overlap=2)), Disputed)
    assert decide(WIDER, said(*pair), MORE) == Waiting(have=2, need=3)


def test_severities_alone_go_to_a_lead() -> None:
    assert isinstance(decide(TASK, said(replace(YES, severity=0), replace(YES, severity=4)), MORE), Disputed)


@pytest.mark.parametrize(
    ("answer", "probability", "asks"),
    [(NO, 0.9, True), (NO, 0.89, False), (NO, 0.05, False), (YES, 0.1, True), (YES, 0.11, False), (YES, 0.99, False),
     (UNCLEAR, 0.99, False), (NO, None, False)],
)  # fmt: skip
def test_two_who_contradict_a_sure_model_ask_one_more(answer: Answer, probability: float | None, asks: bool) -> None:
    decision = decide(TASK, said(answer, answer), MORE, probability)
    assert isinstance(decision, Doubtful if asks else Agreed)
    settled = decide(WIDER, said(answer, answer, answer), MORE, probability)
    assert isinstance(settled, Agreed)
    assert settled.how is How.UNANIMOUS


@pytest.mark.parametrize("order", [(YES, NO, YES), (NO, YES, YES), (YES, YES, NO)])
def test_most_of_three_settle_it_as_consensus(order: tuple[Answer, ...]) -> None:
    decision = decide(WIDER, said(*order), MORE)
    assert isinstance(decision, Agreed)
    assert (decision.how, decision.answer.outcome, decision.answer.rule) == (How.CONSENSUS, Outcome.VIOLATES, YES.rule)
    assert sum(decision.votes.values()) == 3


def test_three_answers_or_a_majority_apart_in_severity_go_to_a_lead() -> None:
    assert isinstance(decide(WIDER, said(YES, NO, OTHER), MORE), Disputed)
    assert isinstance(decide(WIDER, said(YES, NO, OTHER), Widening(max_overlap=4)), Doubtful)
    apart = (replace(YES, severity=0), NO, replace(YES, severity=4))
    assert isinstance(decide(WIDER, said(*apart), MORE), Disputed)


def test_an_overlap_of_three_that_was_asked_for_is_no_majority_vote() -> None:
    assert isinstance(decide(replace(TASK, overlap=3), said(YES, NO, YES)), Disputed)
