"""The labelling form, made from a policy, and the way back: from what the form sent to an ``Answer``.

Every field a person answers is a *control* with a fixed name; the server stores whatever it is sent, so each answer
is checked here. A blind form shows the policy and ``$text``, nothing else; an adjudication form adds ``$answers``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.etree import ElementTree as ET

from labeling.errors import InvalidInput
from labeling.policies import Policy, Rule
from labeling.records import Answer, Outcome, TaskKind
from labeling.studio.wire import Json

CONTENT = "text"
OUTCOME, RULE, SEVERITY, CONFIDENCE, RATIONALE = "outcome", "rule", "severity", "confidence", "rationale"
TYPES = {OUTCOME: "choices", RULE: "choices", SEVERITY: "choices", CONFIDENCE: "rating", RATIONALE: "textarea"}
SEVERITIES = ("S0", "S1", "S2", "S3", "S4")
MAX_CONFIDENCE = 5

OUTCOME_KEYS = {Outcome.VIOLATES: "1", Outcome.ALLOWED: "2", Outcome.CONTEXT_MISSING: "3"}
SEVERITY_KEYS = ("5", "6", "7", "8", "9")
LETTERS = "qwertasdfgzxcvb"  # reached by the left hand; "u" is Label Studio's own
RULE_KEYS = (*LETTERS, *(f"shift+{ch}" for ch in LETTERS if ch != "r"))  # shift+r is Label Studio's own
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WORD_JOINER = "\u2060"  # invisible; after "$" it keeps a policy's "$5" from being read as a task variable


class Rules(Protocol):
    """What an answer is checked against: a ``Policy``, or the ``Form`` that people were shown."""

    @property
    def rule_ids(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Form:
    """The rules that a form offers."""

    rule_ids: tuple[str, ...]


def label_config(policy: Policy, kind: TaskKind) -> str:
    """The form's XML: always the same for the same policy and kind."""
    view = ET.Element("View")
    _show_policy(view, policy)
    _add(view, "Text", name=CONTENT, value="$text", granularity="word")
    if kind is TaskKind.ADJUDICATION:
        _add(view, "Header", value="What the annotators said", size="4")
        _add(view, "Text", name="answers", value="$answers")
    _ask(view, policy)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def config_sha256(config: str) -> str:
    return hashlib.sha256(config.encode()).hexdigest()


def read_form(config: str) -> Form:
    """The rules of a form that ``label_config`` made; check its hash first."""
    view = ET.fromstring(config)  # noqa: S314 - made by us, as its hash has shown
    return Form(tuple(choice.attrib["alias"] for choice in view.iterfind(f".//Choices[@name='{RULE}']/Choice")))


def _show_policy(view: ET.Element, policy: Policy) -> None:
    _add(view, "Header", value=_plain(f"{policy.title} ({policy.id} {policy.version})"), size="3")
    _add(view, "Header", value=_plain(policy.definition), size="5")
    for rule in policy.rules:
        examples = f" For example: {'; '.join(rule.examples)}" if rule.examples else ""
        _add(view, "Header", value=_plain(f"{rule.title}: {rule.definition}{examples}"), size="5")


def _ask(view: ET.Element, policy: Policy) -> None:
    outcome = _choices(view, OUTCOME, "Say whether the content violates the policy")
    for choice, key in OUTCOME_KEYS.items():
        _add(outcome, "Choice", value=choice.value, hotkey=key)
    when = _add(
        view, "View", visibleWhen="choice-selected", whenTagName=OUTCOME, whenChoiceValue=Outcome.VIOLATES.value
    )
    _add(when, "Header", value="Which rule?", size="5")
    rules = _choices(when, RULE, "Pick the rule it violates")
    for index, rule in enumerate(policy.rules):
        key_of = {"hotkey": RULE_KEYS[index]} if index < len(RULE_KEYS) else {}
        _add(rules, "Choice", value=_label(policy, rule), alias=rule.id, hint=_plain(rule.definition), **key_of)
    _add(when, "Header", value="How severe? (S0 mildest, S4 gravest)", size="5")
    severity = _choices(when, SEVERITY, "Pick a severity")
    for name, key in zip(SEVERITIES, SEVERITY_KEYS, strict=True):
        _add(severity, "Choice", value=name, hotkey=key)
    _add(view, "Header", value="How sure are you?", size="5")
    _add(view, "Rating", name=CONFIDENCE, toName=CONTENT, maxRating=str(MAX_CONFIDENCE))
    _add(view, "TextArea", name=RATIONALE, toName=CONTENT, rows="3", maxSubmissions="1", editable="true",
         placeholder="Why? Quote the words that decide it.")  # fmt: skip


def _choices(parent: ET.Element, name: str, message: str) -> ET.Element:
    return _add(parent, "Choices", name=name, toName=CONTENT, choice="single-radio", showInline="true",
                required="true", requiredMessage=message)  # fmt: skip


def _add(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, tag, attributes)


def _label(policy: Policy, rule: Rule) -> str:
    """What the choice shows: the title, with the id where two rules share a title."""
    twice = sum(other.title == rule.title for other in policy.rules) > 1
    return _plain(f"{rule.title} ({rule.id})" if twice else rule.title)


def _plain(text: str) -> str:
    """Policy prose as an attribute that is shown literally."""
    return NOT_XML.sub("\ufffd", text).replace("$", f"${WORD_JOINER}")


def build_result(answer: Answer) -> list[Json]:
    """What the form would send for an answer: the inverse of ``parse_answer``."""
    result = [_entry(OUTCOME, {"choices": [answer.outcome.value]})]
    if answer.rule is not None:
        result.append(_entry(RULE, {"choices": [answer.rule]}))
    if answer.severity is not None:
        result.append(_entry(SEVERITY, {"choices": [SEVERITIES[answer.severity]]}))
    if answer.confidence is not None:
        result.append(_entry(CONFIDENCE, {"rating": answer.confidence}))
    if answer.rationale:
        result.append(_entry(RATIONALE, {"text": [answer.rationale]}))
    return result


def _entry(control: str, value: Json) -> Json:
    return {"from_name": control, "to_name": CONTENT, "type": TYPES[control], "value": value}


def parse_answer(policy: Rules, result: object) -> Answer:
    """The answer in an annotation's ``result``. Raises InvalidInput naming the control that is wrong."""
    values = _by_control(result)
    if OUTCOME not in values:
        raise InvalidInput(f"{OUTCOME}: no choice was made")
    outcome = Outcome(_one_choice(OUTCOME, values[OUTCOME], [choice.value for choice in Outcome]))
    rule = _one_choice(RULE, values[RULE], policy.rule_ids) if RULE in values else None
    severity = SEVERITIES.index(_one_choice(SEVERITY, values[SEVERITY], SEVERITIES)) if SEVERITY in values else None
    _check_together(outcome, {RULE: rule, SEVERITY: severity})
    confidence = _rating(values[CONFIDENCE]) if CONFIDENCE in values else None
    return Answer(outcome, rule, severity, confidence, _prose(values[RATIONALE]) if RATIONALE in values else "")


def _check_together(outcome: Outcome, details: Mapping[str, object]) -> None:
    for control, value in details.items():
        if outcome is Outcome.VIOLATES and value is None:
            raise InvalidInput(f"{control}: missing; an answer that says {outcome.value} names one")
        if outcome is not Outcome.VIOLATES and value is not None:
            raise InvalidInput(f"{control}: {value!r} was given, but the outcome is {outcome.value}")


def _by_control(result: object) -> dict[str, Mapping[str, object]]:
    if not isinstance(result, list):
        raise InvalidInput(f"result: expected a list, found {type(result).__name__}")
    values: dict[str, Mapping[str, object]] = {}
    for entry in result:
        name, value = _control(entry)
        if name in values:
            raise InvalidInput(f"{name}: answered more than once")
        values[name] = value
    return values


def _control(entry: object) -> tuple[str, Mapping[str, object]]:
    if not isinstance(entry, Mapping):
        raise InvalidInput(f"result: expected objects, found {type(entry).__name__}")
    name = entry.get("from_name")
    if not isinstance(name, str) or name not in TYPES:
        raise InvalidInput(f"{_short(name)}: not a control of this form (known: {', '.join(TYPES)})")
    if entry.get("type") != TYPES[name] or entry.get("to_name") != CONTENT:
        raise InvalidInput(f"{name}: expected {TYPES[name]} for {CONTENT}, found {_short(entry.get('type'))}")
    value = entry.get("value")
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name}: has no value")
    return name, value


def _one_choice(control: str, value: Mapping[str, object], known: Sequence[str]) -> str:
    chosen = value.get("choices")
    if not isinstance(chosen, list) or len(chosen) != 1:
        count = len(chosen) if isinstance(chosen, list) else 0
        raise InvalidInput(f"{control}: {count} choices were made where one is expected")
    if not isinstance(chosen[0], str) or chosen[0] not in known:
        raise InvalidInput(f"{control}: {_short(chosen[0])} is not a choice (known: {', '.join(known)})")
    return chosen[0]


def _rating(value: Mapping[str, object]) -> int:
    rating = value.get("rating")
    if not isinstance(rating, int) or isinstance(rating, bool) or not 1 <= rating <= MAX_CONFIDENCE:
        raise InvalidInput(f"{CONFIDENCE}: {_short(rating)} is not a number from 1 to {MAX_CONFIDENCE}")
    return rating


def _prose(value: Mapping[str, object]) -> str:
    text = value.get("text")
    parts = [text] if isinstance(text, str) else text
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InvalidInput(f"{RATIONALE}: is not text")
    return "\n".join(parts)


def _short(value: object) -> str:
    return repr(value)[:60]
