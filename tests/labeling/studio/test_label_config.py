from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InvalidInput
from labeling.policies import Policy, Rule
from labeling.records import Answer, Cause, Outcome, TaskKind, Verdict
from labeling.studio.client import StudioClient
from labeling.studio.label_config import build_result, config_sha256, label_config, parse_answer, read_form
from tests.labeling.studio.build import ALLOWED, VIOLATES, make_policy

POLICY = make_policy()
KEYS = st.sampled_from(["from_name", "to_name", "type", "value", "choices"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)
TEXT = st.text(min_size=1, max_size=40).filter(lambda text: text.strip() != "")


def parsed(config: str) -> ET.Element:
    return ET.fromstring(config)  # noqa: S314 - our own


def answers() -> st.SearchStrategy[Answer]:
    confidence = st.none() | st.integers(1, 5)
    violating = st.builds(
        Answer, st.just(Outcome.VIOLATES), st.sampled_from(POLICY.rule_ids), st.integers(0, 4), confidence, st.text()
    )
    other = st.builds(
        Answer,
        st.sampled_from([Outcome.ALLOWED, Outcome.CONTEXT_MISSING]),
        confidence=confidence,
        rationale=st.text(),
    )
    stop = st.builds(Answer, st.just(Outcome.LEGAL_STOP), rationale=st.text())
    return violating | other | stop


def leads_answers() -> st.SearchStrategy[Answer]:
    said = answers().filter(lambda answer: answer.outcome is not Outcome.LEGAL_STOP)
    why = st.text(min_size=1).filter(lambda text: text.strip() != "")
    return st.builds(
        lambda answer, rationale, verdict, cause: replace(answer, rationale=rationale, verdict=verdict, cause=cause),
        said,
        why,
        st.sampled_from(Verdict),
        st.sampled_from(Cause),
    )


@given(answers())
@settings(deadline=None)
def test_parse_is_the_inverse_of_build(answer: Answer) -> None:
    assert parse_answer(POLICY, build_result(answer)) == answer


@given(leads_answers())
@settings(deadline=None)
def test_parse_is_the_inverse_of_build_for_leads_too(answer: Answer) -> None:
    assert parse_answer(POLICY, build_result(answer), TaskKind.ADJUDICATION) == answer


LEAD = Answer(Outcome.ALLOWED, rationale="a quotation", verdict=Verdict.SINGLE, cause=Cause.A_WRONG)


@pytest.mark.parametrize(
    ("answer", "control"),
    [
        (replace(LEAD, verdict=None), "verdict"),
        (replace(LEAD, cause=None), "cause"),
        (replace(LEAD, rationale=" "), "rationale"),
        (replace(LEAD, rationale=""), "rationale"),
    ],
)
def test_a_leads_answer_says_of_which_kind_it_is_and_why(answer: Answer, control: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{control}:"):
        parse_answer(POLICY, build_result(answer), TaskKind.ADJUDICATION)


def test_a_blind_form_knows_nothing_of_verdicts() -> None:
    with pytest.raises(InvalidInput, match=r"^'verdict': not a control"):
        parse_answer(POLICY, build_result(LEAD))


@pytest.mark.parametrize("kind", list(TaskKind))
def test_a_stop_counts_whatever_else_is_filled_in(kind: TaskKind) -> None:
    stop = entry("outcome", "choices", {"choices": ["legal_stop"]})
    found = parse_answer(POLICY, [stop, RULE, entry("confidence", "rating", {"rating": 3})], kind)
    assert found == Answer(Outcome.LEGAL_STOP)


@given(answers().flatmap(lambda answer: st.tuples(st.just(answer), st.permutations(build_result(answer)))))
@settings(deadline=None)
def test_the_order_of_controls_plays_no_part(case: tuple[Answer, list[dict[str, object]]]) -> None:
    answer, result = case
    assert parse_answer(POLICY, result) == answer


def entry(control: str, kind: str, value: object, to_name: str = "text") -> dict[str, object]:
    return {"from_name": control, "to_name": to_name, "type": kind, "value": value}


OUTCOME = entry("outcome", "choices", {"choices": ["violates"]})
RULE = entry("rule", "choices", {"choices": ["threats"]})
SEVERITY = entry("severity", "choices", {"choices": ["S1"]})
NOT_ALLOWED = entry("outcome", "choices", {"choices": ["allowed"]})


@pytest.mark.parametrize(
    ("result", "control"),
    [
        (None, "result"),
        ([7], "result"),
        ([], "outcome"),
        ([RULE, SEVERITY], "outcome"),
        ([OUTCOME, SEVERITY], "rule"),
        ([OUTCOME, RULE], "severity"),
        ([NOT_ALLOWED, RULE], "rule"),
        ([NOT_ALLOWED, SEVERITY], "severity"),
        ([OUTCOME, OUTCOME, RULE, SEVERITY], "outcome"),
        ([entry("outcome", "choices", {"choices": ["violates", "allowed"]})], "outcome"),
        ([entry("outcome", "choices", {"choices": []})], "outcome"),
        ([entry("outcome", "choices", {"choices": ["spam"]})], "outcome"),
        ([entry("outcome", "choices", {"choices": [["violates"]]})], "outcome"),
        ([entry("outcome", "rating", {"rating": 1})], "outcome"),
        ([entry("outcome", "choices", {"choices": ["allowed"]}, "other")], "outcome"),
        ([entry("outcome", "choices", None)], "outcome"),
        ([entry("verdict", "choices", {"choices": ["allowed"]})], "verdict"),
        ([OUTCOME, SEVERITY, entry("rule", "choices", {"choices": ["Threats"]})], "rule"),
        ([OUTCOME, RULE, entry("severity", "choices", {"choices": ["S5"]})], "severity"),
        ([NOT_ALLOWED, entry("confidence", "rating", {"rating": 6})], "confidence"),
        ([NOT_ALLOWED, entry("confidence", "rating", {"rating": True})], "confidence"),
        ([NOT_ALLOWED, entry("rationale", "textarea", {"text": [3]})], "rationale"),
    ],
)
def test_a_wrong_answer_is_refused_by_control(result: object, control: str) -> None:
    with pytest.raises(InvalidInput, match=f"^'?{control}'?:"):
        parse_answer(POLICY, result)


@given(JUNK)
@settings(deadline=None)
def test_junk_is_refused_and_never_crashes(result: object) -> None:
    with pytest.raises(InvalidInput):
        parse_answer(POLICY, result)


def test_rationale_as_the_browser_sends_it() -> None:
    result = [NOT_ALLOWED, entry("rationale", "textarea", {"text": ["one", "two"]})]
    assert parse_answer(POLICY, result).rationale == "one\ntwo"
    result = [NOT_ALLOWED, entry("rationale", "textarea", {"text": "one"})]
    assert parse_answer(POLICY, result).rationale == "one"


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_form_is_stable_and_its_hotkeys_unique(kind: TaskKind) -> None:
    config = label_config(POLICY, kind)
    assert config == label_config(POLICY, kind)
    assert config_sha256(config) == config_sha256(label_config(POLICY, kind))
    view = parsed(config)
    keys = [tag.get("hotkey") for tag in view.iter("Choice")]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    names = [tag.get("name") for tag in view.iter() if tag.get("name")]
    assert len(set(names)) == len(names)


def test_a_blind_form_shows_the_text_and_no_other_data() -> None:
    assert re.findall(r"\$\w+", label_config(POLICY, TaskKind.BLIND)) == ["$text"]
    shown = re.findall(r"\$\w+", label_config(POLICY, TaskKind.ADJUDICATION))
    assert shown == ["$text", "$answers", "$precedents"]
    for kind in TaskKind:
        assert {tag.tag for tag in parsed(label_config(POLICY, kind)).iter()}.isdisjoint(
            {"HyperText", "Markdown", "Image", "Style"}
        )


def test_policy_prose_is_shown_as_written() -> None:
    headers = [tag.get("value", "") for tag in parsed(label_config(POLICY, TaskKind.BLIND)).iter("Header")]
    assert headers[0].replace("\u2060", "") == f"{POLICY.title} ({POLICY.id} 1.0.0)"
    assert headers[1] == POLICY.definition


def test_what_may_be_long_is_folded_away_and_shown_literally() -> None:
    policy = make_policy(
        guidelines=["Read <b>all</b> of it.", "Costs $5."],
        rules=[{"id": "one", "title": "One", "definition": "Is one.", "examples": ["It is."], "near_misses": ["Not."]}],
    )
    view = parsed(label_config(policy, TaskKind.BLIND))
    panels = {
        panel.get("value"): [tag.get("value", "").replace("\u2060", "") for tag in panel.iter("Header")]
        for panel in view.iterfind("Collapse/Panel")
    }
    assert panels["Rules and examples"] == ["One: Is one.", "Violates: It is.", "Does not: Not."]
    assert panels["Guidelines"] == ["Read <b>all</b> of it.", "Costs $5."]
    assert "0 stop: legal" in " ".join(panels["Keys"])
    assert len(list(view.iterfind("Header"))) == 2 + 1  # title, definition, "How sure are you?"
    plain = parsed(label_config(POLICY, TaskKind.BLIND))
    assert [panel.get("value") for panel in plain.iter("Panel")] == ["Rules and examples", "Keys"]


def test_the_keys_panel_tells_the_keys_of_the_form() -> None:
    view = parsed(label_config(POLICY, TaskKind.BLIND))
    told = " ".join(tag.get("value", "") for tag in view.iter("Header"))
    for choice in view.iterfind("Choices[@name='outcome']/Choice"):
        assert f"{choice.get('hotkey')} {choice.get('value')}" in told


@given(TEXT, TEXT, st.lists(TEXT, min_size=1, max_size=4))
@settings(deadline=None, max_examples=50)
def test_any_policy_gives_a_form_that_parses(title: str, definition: str, rules: list[str]) -> None:
    policy = make_policy(
        title=title,
        definition=definition,
        rules=[{"id": f"r{n}", "title": rule, "definition": rule} for n, rule in enumerate(rules)],
    )
    view = parsed(label_config(policy, TaskKind.ADJUDICATION))
    assert re.findall(r"\$[\w\[\].{}]+", ET.tostring(view, encoding="unicode")) == ["$text", "$answers", "$precedents"]


def many_rules(number: int) -> Policy:
    rules = tuple(Rule(id=f"rule_{n}", title="Same title", definition="The same.") for n in range(number))
    return make_policy(rules=[rule.model_dump() for rule in rules])


def test_rules_with_one_title_stay_apart_and_many_rules_find_keys() -> None:
    view = parsed(label_config(many_rules(40), TaskKind.BLIND))
    rules = list(view.iterfind(".//Choices[@name='rule']/Choice"))
    assert len({tag.get("value") for tag in rules}) == 40
    keys = [tag.get("hotkey") for tag in rules if tag.get("hotkey")]
    assert len(set(keys)) == len(keys) == 29


@pytest.mark.parametrize("kind", list(TaskKind))
def test_a_form_knows_its_rules(kind: TaskKind) -> None:
    assert read_form(label_config(POLICY, kind)).rule_ids == POLICY.rule_ids


@pytest.mark.studio
@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_server_finds_no_fault_in_the_form(client: StudioClient, kind: TaskKind) -> None:
    client.validate_config(label_config(POLICY, kind))
    client.validate_config(label_config(many_rules(40), kind))


@pytest.mark.parametrize("answer", [VIOLATES, ALLOWED])
def test_another_policys_rule_is_unknown(answer: Answer) -> None:
    other = make_policy(rules=[{"id": "lies", "title": "Lies", "definition": "Untrue."}])
    if answer.rule is None:
        assert parse_answer(other, build_result(answer)) == answer
    else:
        with pytest.raises(InvalidInput, match=r"^rule: 'threats' is not a choice \(known: lies\)"):
            parse_answer(other, build_result(answer))


def test_an_image_is_blurred_by_the_server_until_a_key_shows_it_where_the_policy_says_so() -> None:
    policy = make_policy(blur=True)
    form = ET.fromstring(label_config(policy, TaskKind.BLIND, "image"))  # noqa: S314 - made by us
    parents = {child: parent for parent in form.iter() for child in parent}
    pictures = {picture.attrib["name"]: picture for picture in form.iter("Image")}
    assert {name: one.attrib["value"] for name, one in pictures.items()} == {
        "blurred": "$image_blurred",
        "text": "$image",
    }
    shown_when = {name: parents[one].attrib["visibleWhen"] for name, one in pictures.items()}
    assert shown_when == {"blurred": "choice-unselected", "text": "choice-selected"}
    (look,) = form.iterfind(".//Choices[@name='look']/Choice")
    assert look.attrib["hotkey"] == "4"
    keys = [choice.attrib["hotkey"] for choice in form.iter("Choice") if "hotkey" in choice.attrib]
    assert len(keys) == len(set(keys))


def test_without_blur_an_image_stands_open_and_a_text_form_knows_no_image() -> None:
    form = ET.fromstring(label_config(make_policy(), TaskKind.ADJUDICATION, "image"))  # noqa: S314 - made by us
    assert [one.attrib["value"] for one in form.iter("Image")] == ["$image"]
    assert form.find(".//Choices[@name='look']") is None
    assert form.find(".//Text[@name='caption']") is not None
    assert "mage" not in label_config(make_policy(blur=True), TaskKind.BLIND)


def test_whether_an_image_was_opened_is_no_part_of_the_answer() -> None:
    look = {"from_name": "look", "to_name": "text", "type": "choices", "value": {"choices": ["show the image clear"]}}
    policy = make_policy()
    assert parse_answer(policy, [look, *build_result(VIOLATES)]) == VIOLATES
    with pytest.raises(InvalidInput, match="outcome: no choice was made"):
        parse_answer(policy, [look])
