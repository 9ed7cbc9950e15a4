"""The labelling form, made from a policy, and the way back: from what the form sent to an ``Answer``.

Every field a person answers is a *control* with a fixed name; the server stores whatever it is sent, so each answer
is checked here. A blind form shows the policy and the content, nothing else; an adjudication form adds ``$answers``.

The content is ``$text``, or ``$image`` with ``$text`` as its caption. Where the policy says so an image is blurred
until a person opens it: what is seen first is a picture that the server has blurred, and no style of the browser's need
work for that. The clear one is seen only while the control ``look`` is ticked, which a key does as well as a click
(a folded panel of Label Studio 1.23 cannot be opened by key).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from xml.etree import ElementTree as ET

from labeling.errors import InvalidInput
from labeling.policies import Policy, Rule
from labeling.records import Answer, Cause, Outcome, TaskKind, Verdict
from labeling.studio.links import BLURRED, IMAGE
from labeling.studio.wire import Json

CONTENT = "text"  # the name, in every form, of what an answer is about: a text, or an image
LOOK = "look"  # ticked while a blurred image is shown clear; no part of the answer
OUTCOME, RULE, SEVERITY, CONFIDENCE, RATIONALE = "outcome", "rule", "severity", "confidence", "rationale"
VERDICT, CAUSE = "verdict", "cause"
BLIND_TYPES = {
    OUTCOME: "choices",
    RULE: "choices",
    SEVERITY: "choices",
    CONFIDENCE: "rating",
    RATIONALE: "textarea",
    LOOK: "choices",
}
TYPES = {**BLIND_TYPES, VERDICT: "choices", CAUSE: "choices"}
SEVERITIES = ("S0", "S1", "S2", "S3", "S4")
MAX_CONFIDENCE = 5

OUTCOMES = {
    Outcome.VIOLATES: ("violates", "1"),
    Outcome.ALLOWED: ("allowed", "2"),
    Outcome.CONTEXT_MISSING: ("context missing", "3"),
    Outcome.LEGAL_STOP: ("stop: legal", "0"),
}
VERDICTS = {
    Verdict.SINGLE: "one right answer",
    Verdict.SEVERAL: "several defensible",
    Verdict.CONTESTED: "contested",
}
CAUSES = {
    Cause.A_WRONG: "A wrong",
    Cause.B_WRONG: "B wrong",
    Cause.BOTH_WRONG: "both wrong",
    Cause.GUIDELINE_AMBIGUOUS: "guideline ambiguous",
    Cause.POLICY_GAP: "policy gap",
    Cause.CONTEXT_MISSING: "context missing",
    Cause.TOOL_ERROR: "tool error",
    Cause.LEGITIMATELY_PLURAL: "legitimately plural",
}
SEVERITY_KEYS = ("5", "6", "7", "8", "9")
VERDICT_KEYS = ("shift+1", "shift+2", "shift+3")
LETTERS = "qwertasdfgzxcvb"  # reached by the left hand; "u" is Label Studio's own
RULE_KEYS = (*LETTERS, *(f"shift+{ch}" for ch in LETTERS if ch != "r"))  # shift+r is Label Studio's own
CAUSE_KEYS = ("i", "o", "p", "j", "k", "l", "n", "m")  # reached by the right hand
PROSE = "font-size: 15px; font-weight: 400; margin: 4px 0"  # a Header is the one tag that shows any text literally
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WORD_JOINER = "\u2060"  # invisible; after "$" it keeps a policy's "$5" from being read as a task variable


BLURRED_PX = "240px"
LOOK_LINE, LOOK_KEY = "show the image clear", "4"
LOOK_KEYS = "Image: 4 shows it clear, and blurs it again."
KEY_LINES = (
    "Outcome: 1 violates, 2 allowed, 3 context missing, 0 stop: legal.",
    "Rule: the letter beside it. Severity: 5 to 9 for S0 to S4.",
    "Reason: Tab leads there, Shift+Enter ends it.",
    "Submit: Ctrl+Enter. Skip: Ctrl+Space. On a Mac, Cmd instead of Ctrl.",
)
STOP_LINE = (
    "Only for content that may not be looked at or kept by law. It is taken away from everybody at once, and erased; "
    "a lead is told that it was you. If you are not sure, skip the task and ask."
)


class Rules(Protocol):
    """What an answer is checked against: a ``Policy``, or the ``Form`` that people were shown."""

    @property
    def rule_ids(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Form:
    """The rules that a form offers."""

    rule_ids: tuple[str, ...]


def label_config(policy: Policy, kind: TaskKind, modality: str = "text") -> str:
    """The form's XML: always the same for the same policy, kind and modality (text or image)."""
    view = ET.Element("View")
    _show_policy(view, policy, (LOOK_KEYS, *KEY_LINES) if modality == IMAGE and policy.blur else KEY_LINES)
    if modality == IMAGE:
        _show_image(view, blur=policy.blur)
    else:
        add_tag(view, "Text", name=CONTENT, value="$text", granularity="word")
    if kind is TaskKind.ADJUDICATION:
        add_tag(view, "Header", value="What the annotators said", size="4")
        add_tag(view, "Text", name="answers", value="$answers")
        add_tag(view, "Header", value="How the nearest cases were decided", size="4")
        add_tag(view, "Text", name="precedents", value="$precedents")
    _ask(view, policy, kind, image=modality == IMAGE)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def config_sha256(config: str) -> str:
    return hashlib.sha256(config.encode()).hexdigest()


def read_form(config: str) -> Form:
    """The rules of a form that ``label_config`` made; check its hash first."""
    view = ET.fromstring(config)  # noqa: S314 - made by us, as its hash has shown
    return Form(tuple(choice.attrib["alias"] for choice in view.iterfind(f".//Choices[@name='{RULE}']/Choice")))


def _show_policy(view: ET.Element, policy: Policy, keys: Sequence[str]) -> None:
    """Title and definition stand open; the rest is folded away, so that it never pushes the content off the screen."""
    add_tag(view, "Header", value=plain(f"{policy.title} ({policy.id} {policy.version})"), size="3")
    add_tag(view, "Header", value=plain(policy.definition), size="5", style=PROSE)
    folded = add_tag(view, "Collapse", bordered="true")
    _panel(folded, "Rules and examples", [line for rule in policy.rules for line in _rule_lines(rule)])
    if policy.guidelines:
        _panel(folded, "Guidelines", policy.guidelines)
    _panel(folded, "Keys", keys)


def _show_image(view: ET.Element, *, blur: bool) -> None:
    """The image, and the text that came with it."""
    bare = {"selectionControl": "false"}  # its key, v, is a rule's
    clear = {"name": CONTENT, "value": f"${IMAGE}", "zoom": "true", "zoomControl": "true", **bare}
    if blur:
        look = add_tag(view, "Choices", name=LOOK, toName=CONTENT, choice="multiple", showInline="true")
        add_tag(look, "Choice", value=LOOK_LINE, hotkey=LOOK_KEY)
        add_tag(_looking(view, "choice-unselected"), "Image", name="blurred", value=f"${BLURRED}", zoom="false",
             zoomControl="false", width=BLURRED_PX, maxWidth=BLURRED_PX, **bare)  # fmt: skip
        add_tag(_looking(view, "choice-selected"), "Image", **clear)
    else:
        add_tag(view, "Image", **clear)
    add_tag(view, "Header", value="The text that came with it", size="5")
    add_tag(view, "Text", name="caption", value="$text")


def _looking(view: ET.Element, when: str) -> ET.Element:
    return add_tag(view, "View", visibleWhen=when, whenTagName=LOOK, whenChoiceValue=LOOK_LINE)


def _panel(parent: ET.Element, title: str, lines: Iterable[str]) -> None:
    panel = add_tag(add_tag(parent, "Panel", value=title), "View")
    for line in lines:
        add_tag(panel, "Header", value=plain(line), size="5", style=PROSE)


def _rule_lines(rule: Rule) -> list[str]:
    """The rule as it is read: definition, what violates it, and what looks as if it did."""
    lines = [f"{rule.title}: {rule.definition}"]
    lines += [f"Violates: {example}" for example in rule.examples]
    return lines + [f"Does not: {near}" for near in rule.near_misses]


def _ask(view: ET.Element, policy: Policy, kind: TaskKind, *, image: bool) -> None:
    outcome = _choices(view, OUTCOME, "Say whether the content violates the policy")
    for choice, (shown, key) in OUTCOMES.items():
        add_tag(outcome, "Choice", value=shown, alias=choice.value, hotkey=key)
    _ask_rule(_when(view, OUTCOMES[Outcome.VIOLATES][0]), policy)
    stop = _when(view, OUTCOMES[Outcome.LEGAL_STOP][0])
    add_tag(stop, "Header", value=STOP_LINE, size="5", style=PROSE)
    lead = kind is TaskKind.ADJUDICATION
    rest = (
        _when(view, *(shown for each, (shown, _) in OUTCOMES.items() if each is not Outcome.LEGAL_STOP))
        if lead
        else view
    )
    if lead:
        _ask_lead(rest)
    add_tag(rest, "Header", value="How sure are you?", size="5")
    add_tag(rest, "Rating", name=CONFIDENCE, toName=CONTENT, maxRating=str(MAX_CONFIDENCE))
    must = {"required": "true", "requiredMessage": "Say why"} if lead else {}
    hint = "Why? Name what decides it." if image else "Why? Quote the words that decide it."
    add_tag(rest, "TextArea", name=RATIONALE, toName=CONTENT, rows="3", maxSubmissions="1", editable="true",
         placeholder=hint, **must)  # fmt: skip


def _ask_rule(parent: ET.Element, policy: Policy) -> None:
    add_tag(parent, "Header", value="Which rule?", size="5")
    rules = _choices(parent, RULE, "Pick the rule it violates")
    for index, rule in enumerate(policy.rules):
        key_of = {"hotkey": RULE_KEYS[index]} if index < len(RULE_KEYS) else {}
        add_tag(rules, "Choice", value=_label(policy, rule), alias=rule.id, hint=plain(rule.definition), **key_of)
    add_tag(parent, "Header", value="How severe? (S0 mildest, S4 gravest)", size="5")
    severity = _choices(parent, SEVERITY, "Pick a severity")
    for name, key in zip(SEVERITIES, SEVERITY_KEYS, strict=True):
        add_tag(severity, "Choice", value=name, hotkey=key)


def _ask_lead(view: ET.Element) -> None:
    """What only a lead is asked, and must answer; hidden, and so not asked for, where the answer is a stop."""
    for title, name, choices, keys in (
        ("Of which kind is that answer?", VERDICT, VERDICTS, VERDICT_KEYS),
        ("Why did the annotators differ?", CAUSE, CAUSES, CAUSE_KEYS),
    ):
        add_tag(view, "Header", value=title, size="5")
        asked = _choices(view, name, title)
        for (choice, shown), key in zip(choices.items(), keys, strict=True):
            add_tag(asked, "Choice", value=shown, alias=choice.value, hotkey=key)


def _when(view: ET.Element, *outcomes: str) -> ET.Element:
    """What is seen only while one of ``outcomes``, as they are shown, is chosen."""
    shown = ",".join(outcomes)
    return add_tag(view, "View", visibleWhen="choice-selected", whenTagName=OUTCOME, whenChoiceValue=shown)


def _choices(parent: ET.Element, name: str, message: str) -> ET.Element:
    return add_tag(parent, "Choices", name=name, toName=CONTENT, choice="single-radio", showInline="true",
                required="true", requiredMessage=message)  # fmt: skip


def add_tag(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, tag, attributes)


def _label(policy: Policy, rule: Rule) -> str:
    """What the choice shows: the title, with the id where two rules share a title."""
    twice = sum(other.title == rule.title for other in policy.rules) > 1
    return plain(f"{rule.title} ({rule.id})" if twice else rule.title)


def plain(text: str) -> str:
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
    for control, said in ((VERDICT, answer.verdict), (CAUSE, answer.cause)):
        if said is not None:
            result.append(_entry(control, {"choices": [said.value]}))
    return result


def _entry(control: str, value: Json) -> Json:
    return {"from_name": control, "to_name": CONTENT, "type": TYPES[control], "value": value}


def parse_answer(policy: Rules, result: object, kind: TaskKind = TaskKind.BLIND) -> Answer:
    """The answer in an annotation's ``result``. Raises InvalidInput naming the control that is wrong. A stop counts
    whatever else is filled in, or not: nobody shall have to look at it again to correct a form."""
    values = _by_control(result, TYPES if kind is TaskKind.ADJUDICATION else BLIND_TYPES)
    if OUTCOME not in values:
        raise InvalidInput(f"{OUTCOME}: no choice was made")
    outcome = Outcome(_one_choice(OUTCOME, values[OUTCOME], [choice.value for choice in Outcome]))
    if outcome is Outcome.LEGAL_STOP:
        return Answer(outcome, rationale=_prose(values[RATIONALE]) if RATIONALE in values else "")
    rule = _one_choice(RULE, values[RULE], policy.rule_ids) if RULE in values else None
    severity = SEVERITIES.index(_one_choice(SEVERITY, values[SEVERITY], SEVERITIES)) if SEVERITY in values else None
    _check_together(outcome, {RULE: rule, SEVERITY: severity})
    confidence = _rating(values[CONFIDENCE]) if CONFIDENCE in values else None
    rationale = _prose(values[RATIONALE]) if RATIONALE in values else ""
    answer = Answer(outcome, rule, severity, confidence, rationale)
    return answer if kind is not TaskKind.ADJUDICATION else _of_lead(answer, values)


def _of_lead(answer: Answer, values: Mapping[str, Mapping[str, object]]) -> Answer:
    for control in (VERDICT, CAUSE):
        if control not in values:
            raise InvalidInput(f"{control}: no choice was made; a lead's answer says it")
    if not answer.rationale.strip():
        raise InvalidInput(f"{RATIONALE}: is empty; a lead's answer says why")
    verdict = Verdict(_one_choice(VERDICT, values[VERDICT], [each.value for each in Verdict]))
    return replace(
        answer, verdict=verdict, cause=Cause(_one_choice(CAUSE, values[CAUSE], [each.value for each in Cause]))
    )


def _check_together(outcome: Outcome, details: Mapping[str, object]) -> None:
    for control, value in details.items():
        if outcome is Outcome.VIOLATES and value is None:
            raise InvalidInput(f"{control}: missing; an answer that says {outcome.value} names one")
        if outcome is not Outcome.VIOLATES and value is not None:
            raise InvalidInput(f"{control}: {value!r} was given, but the outcome is {outcome.value}")


def _by_control(result: object, types: Mapping[str, str]) -> dict[str, Mapping[str, object]]:
    if not isinstance(result, list):
        raise InvalidInput(f"result: expected a list, found {type(result).__name__}")
    values: dict[str, Mapping[str, object]] = {}
    for entry in result:
        name, value = _control(entry, types)
        if name in values:
            raise InvalidInput(f"{name}: answered more than once")
        values[name] = value
    return values


def _control(entry: object, types: Mapping[str, str]) -> tuple[str, Mapping[str, object]]:
    if not isinstance(entry, Mapping):
        raise InvalidInput(f"result: expected objects, found {type(entry).__name__}")
    name = entry.get("from_name")
    if not isinstance(name, str) or name not in types:
        raise InvalidInput(f"{_short(name)}: not a control of this form (known: {', '.join(types)})")
    if entry.get("type") != types[name] or entry.get("to_name") != CONTENT:
        raise InvalidInput(f"{name}: expected {types[name]} for {CONTENT}, found {_short(entry.get('type'))}")
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
