"""Versions of policies: their numbers, what a change touches, and which text is in force."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import IntegrityError, InvalidInput, PolicyError
from labeling.policies import Policy
from labeling.policy_versions import (
    ChangeKind,
    PolicyVersion,
    by_policy,
    changed_keys,
    content_hash,
    holds,
    in_force,
    moved_to,
    refuse_edits,
    step,
    touches,
    version_of,
)
from labeling.records import GoldState, Outcome

NOW = datetime(2026, 3, 1, tzinfo=UTC)
K = ChangeKind


def policy(version: str = "1.0.0", rules: tuple[str, ...] = ("threat", "slur"), **changes: Any) -> Policy:
    told = [{"id": rule, "title": rule, "definition": f"what a {rule} is"} for rule in rules]
    base = {"id": "harm", "title": "Harm", "definition": "what harms", "severity": 2, "threshold": 0.5, "rules": told}
    return Policy.model_validate({**base, "version": version, **changes})


def publish(
    history: list[PolicyVersion], version: str, *kinds: ChangeKind, text: Policy | None = None, **more: Any
) -> list[PolicyVersion]:
    given_ = {"reason": "because", "actor": "ann", "at": NOW, **more}
    return [*history, version_of(text or policy(version), kinds, history, **given_)]


FIRST = publish([], "1.0.0", K.NEW)


@pytest.mark.parametrize(
    ("kinds", "version", "fits"),
    [
        ([K.CLARIFY], "1.0.1", True),
        ([K.CLARIFY], "1.1.0", True),
        ([K.CLARIFY], "2.0.0", False),
        ([K.TIGHTEN], "1.0.1", False),
        ([K.TIGHTEN, K.CLARIFY], "1.1.0", True),
        ([K.LOOSEN], "2.0.0", True),
        ([K.NEW], "1.0.1", False),
        ([K.NEW], "1.1.0", True),
        ([K.SPLIT], "1.1.0", False),
        ([K.SPLIT], "2.0.0", True),
        ([K.RETIRE], "1.1.0", False),
        ([K.RETIRE], "2.0.0", True),
        ([K.RETIRE, K.TIGHTEN], "2.0.0", False),
        ([K.MERGE], "2.0.0", False),  # from what?
        ([K.TIGHTEN], "1.0.0", False),
        ([K.TIGHTEN], "0.9.0", False),
        ([], "1.1.0", False),
    ],
)
def test_a_version_rises_as_its_kind_asks_for(kinds: list[ChangeKind], version: str, fits: bool) -> None:
    if fits:
        made = publish(FIRST, version, *kinds)[-1]
        assert (made.parent, set(made.kinds)) == ("1.0.0", set(kinds))
        return
    with pytest.raises(InvalidInput):
        publish(FIRST, version, *kinds)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"reason": " "}, "reason: say"),
        ({"rules": ["spam"]}, r"rules: harm has no rule spam \(known: slur, threat\)"),
        ({"predecessors": ["other"]}, "from: only a split or a merge"),
        ({"text": policy("1.0.1", ("threat",))}, "more than a clarification"),
        ({"text": policy("1.0.1", severity=4)}, "more than a clarification"),
    ],
)
def test_what_does_not_fit_is_named(more: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        publish(FIRST, "1.0.1", K.CLARIFY, **more)


def test_a_first_version_is_new_or_comes_from_others() -> None:
    with pytest.raises(InvalidInput, match="not published yet"):
        publish([], "1.0.0", K.TIGHTEN)
    with pytest.raises(InvalidInput, match="name the policies that harm comes from"):
        publish([], "1.0.0", K.SPLIT)
    assert publish([], "1.0.0", K.SPLIT, predecessors=["other", "harm"])[-1].predecessors == ("other",)


YES, NO, VAGUE = Outcome.VIOLATES, Outcome.ALLOWED, Outcome.CONTEXT_MISSING


@pytest.mark.parametrize(
    ("kind", "rules", "version", "touched"),
    [
        (K.TIGHTEN, (), "1.1.0", {(NO, None)}),
        (K.TIGHTEN, ("slur",), "1.1.0", {(NO, None), (YES, "slur"), (YES, None)}),
        (K.LOOSEN, ("slur",), "1.1.0", {(YES, "slur"), (YES, None)}),
        (K.LOOSEN, (), "1.1.0", {(YES, "slur"), (YES, "threat"), (YES, None)}),
        (K.CLARIFY, (), "1.0.1", set()),
        (K.CLARIFY, ("slur",), "1.0.1", {(YES, "slur"), (YES, None)}),
        (K.NEW, (), "1.1.0", {(NO, None)}),
        (K.SPLIT, ("threat",), "2.0.0", {(YES, "threat"), (YES, None)}),
        (K.RETIRE, (), "2.0.0", set()),
    ],
)
def test_what_a_change_touches(
    kind: ChangeKind, rules: tuple[str, ...], version: str, touched: set[tuple[Outcome, str | None]]
) -> None:
    labels = [(YES, "slur"), (YES, "threat"), (YES, None), (NO, None), (VAGUE, None)]
    history = publish(FIRST, version, kind, rules=rules)
    assert {label for label in labels if touches(history[-1], *label)} == touched
    for label in labels:
        to = moved_to(history, GoldState.ACTIVE, "1.0.0", *label)
        expected = GoldState.RETIRED if kind is K.RETIRE else GoldState.STALE if label in touched else None
        assert to is expected
        assert moved_to(history, GoldState.ACTIVE, version, *label) is None  # given under the new version
        assert moved_to(history, GoldState.QUARANTINED, "1.0.0", *label) is None


def test_a_rule_that_is_dropped_counts_as_named() -> None:
    history = publish(FIRST, "1.1.0", K.TIGHTEN, text=policy("1.1.0", ("threat",)))
    assert history[-1].rules == ("slur",)
    assert touches(history[-1], YES, "slur")
    assert not touches(history[-1], YES, "threat")


def test_a_label_holds_up_to_the_version_before_the_change_that_touches_it() -> None:
    history = publish(publish(FIRST, "1.0.1", K.CLARIFY), "1.1.0", K.TIGHTEN)
    assert holds(history, "1.0.0", NO, None, "1.0.1")
    assert not holds(history, "1.0.0", NO, None)
    assert holds(history, "1.0.0", YES, "slur")


VERSIONS = st.tuples(*[st.integers(0, 12)] * 3)


@given(VERSIONS, VERSIONS)
def test_versions_rise_by_numbers_not_by_letters(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    old, new = (".".join(map(str, version)) for version in (a, b))
    if b <= a:
        with pytest.raises(InvalidInput, match="does not rise"):
            step(old, new)
    else:
        assert step(old, new) == ("major", "minor", "patch")[[x != y for x, y in zip(a, b, strict=True)].index(True)]


def test_a_version_that_is_none() -> None:
    with pytest.raises(InvalidInput, match="MAJOR"):
        step("1.0.0", "next")


def test_the_hash_is_of_what_a_label_may_depend_on() -> None:
    assert content_hash(policy(threshold=0.9)) == content_hash(policy())
    for changes in ({"definition": "else"}, {"blur": True}, {"guidelines": ("look",)}, {"severity": 3}):
        assert content_hash(policy(**changes)) != content_hash(policy())
        assert changed_keys(policy(), policy(**changes)) == list(changes)


def test_the_newest_published_text_is_in_force_whatever_the_file_says() -> None:
    history = publish(FIRST, "1.1.0", K.TIGHTEN, text=policy("1.1.0", definition="tighter"))
    histories = by_policy(reversed(history))
    for file in (policy("1.0.0", threshold=0.7), policy("1.2.0", definition="a draft", threshold=0.7)):
        found = in_force({"harm": file}, histories)["harm"]
        assert (found.version, found.definition, found.threshold) == ("1.1.0", "tighter", 0.7)
    with pytest.raises(PolicyError, match=r"folder: harm 1\.1\.0 is published with .* \(definition differs\)"):
        refuse_edits({"harm": policy("1.1.0")}, histories, "folder")
    gone = publish(history, "2.0.0", K.RETIRE)
    assert in_force({"harm": policy(), "other": policy()}, by_policy(gone)) == {}
    with pytest.raises(InvalidInput, match=r"retired, by version 2\.0\.0: to take it up again is new"):
        publish(gone, "2.0.1", K.CLARIFY)
    again = publish(gone, "3.0.0", K.NEW)
    assert in_force({"harm": policy()}, by_policy(again))["harm"].version == "3.0.0"
    assert moved_to(again, GoldState.STALE, "1.0.0", NO, None) is GoldState.RETIRED


def test_a_text_that_was_changed_in_the_ledger_is_found() -> None:
    FIRST[0].text["definition"], kept = "else", FIRST[0].text["definition"]
    try:
        with pytest.raises(IntegrityError, match=r"policy harm 1\.0\.0"):
            _ = FIRST[0].policy
    finally:
        FIRST[0].text["definition"] = kept
