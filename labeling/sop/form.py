"""A decision tree as a Label Studio form, and the way back: from what the form sent to a walk.

Each question is seen once the answers before it were given, and a verdict once its leaf is reached. A step that several
ways lead to stands in the form once for each of them, since Label Studio shows a part of a form by one answer only; the
names of its controls (``c3_step``) tell these apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from labeling.errors import InvalidInput
from labeling.policies import Policy
from labeling.sop.tree import Leaf, Sop, Step
from labeling.studio.label_config import CONTENT, PROSE, add_tag, plain

MAX_CONTROLS = 200
MARK = "c"


@dataclass(frozen=True, slots=True)
class Control:
    """A question as it stands in the form. ``under``: the control and the answer by which it is seen, or None."""

    name: str
    step: Step
    under: tuple[str, str] | None


def controls(sop: Sop) -> list[Control]:
    """The form's questions in the order in which they are seen. Raises InvalidInput where there are too many."""
    found: list[Control] = []
    stack: list[tuple[str, tuple[str, str] | None]] = [(sop.start, None)]
    while stack:
        step_id, under = stack.pop()
        control = Control(f"{MARK}{len(found) + 1}_{step_id}", sop.step_by_id[step_id], under)
        found.append(control)
        if len(found) > MAX_CONTROLS:
            raise InvalidInput(
                f"{sop.id}: its ways pass more than {MAX_CONTROLS} questions in all, too many for one form: let fewer "
                "answers lead to the same step, or split the policy"
            )
        nexts = [choice for choice in control.step.answers if choice.go in sop.step_by_id]
        stack += [(choice.go, (control.name, choice.says)) for choice in reversed(nexts)]
    return found


def form(sop: Sop, policy: Policy) -> str:
    """The form's XML: always the same for the same tree and policy."""
    view = ET.Element("View")
    add_tag(
        view, "Header", value=plain(f"{policy.title} ({sop.id} {sop.version}, tree {sop.tree_hash[:12]})"), size="3"
    )
    add_tag(view, "Text", name=CONTENT, value="$text", granularity="word")
    titles = {rule.id: rule.title for rule in policy.rules}
    places: dict[str, ET.Element] = {}
    for control in controls(sop):
        place = view if control.under is None else _seen(places[control.under[0]], *control.under)
        places[control.name] = place
        _ask(place, control)
        for choice in control.step.answers:
            if choice.go in sop.leaf_by_id:
                _tell(_seen(place, control.name, choice.says), sop.leaf_by_id[choice.go], titles)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def answers_of(sop: Sop, result: object) -> dict[str, str]:
    """Step id to what was said there, from an annotation's ``result``; answers that were left standing off the way are
    dropped. Raises InvalidInput."""
    said = dict(_said(result))
    by_opening = {control.under: control for control in controls(sop)}
    found: dict[str, str] = {}
    here = by_opening.get(None)
    while here is not None and here.name in said:
        says = said[here.name]
        here.step.go(says)
        found[here.step.id] = says
        here = by_opening.get((here.name, says))
    return found


def _said(result: object) -> Iterator[tuple[str, str]]:
    if not isinstance(result, list):
        raise InvalidInput(f"result: expected a list, found {type(result).__name__}")
    for entry in result:
        value = entry.get("value") if isinstance(entry, Mapping) else None
        chosen = value.get("choices") if isinstance(value, Mapping) else None
        if not isinstance(chosen, list) or len(chosen) != 1 or not isinstance(chosen[0], str):
            raise InvalidInput("result: expected one choice for each control of the form")
        yield str(entry.get("from_name")), chosen[0]


def _ask(place: ET.Element, control: Control) -> None:
    add_tag(place, "Header", value=plain(control.step.question), size="4")
    for cue in control.step.look_for:
        add_tag(place, "Header", value=plain(f"Look for: {cue}"), size="5", style=PROSE)
    asked = add_tag(place, "Choices", name=control.name, toName=CONTENT, choice="single-radio", showInline="true",
                    required="true", requiredMessage="Answer the question")  # fmt: skip
    for choice in control.step.answers:
        add_tag(asked, "Choice", value=plain(choice.says), alias=choice.says)


def _tell(place: ET.Element, leaf: Leaf, titles: Mapping[str, str]) -> None:
    rule = f", {titles.get(leaf.rule, leaf.rule)}, S{leaf.severity}" if leaf.rule else ""
    add_tag(place, "Header", value=plain(f"Verdict: {leaf.outcome.value}{rule}. Action: {leaf.action}."), size="4")


def _seen(place: ET.Element, control: str, says: str) -> ET.Element:
    return add_tag(place, "View", visibleWhen="choice-selected", whenTagName=control, whenChoiceValue=plain(says))
