"""Where do people disagree about a policy's text? Each rule beside what blind answers and a replay of gold say of it.

A rule is named by its blind answers (``labeling.agreements``): do those who answer the same task agree whether this
rule is broken. Where the policy has a decision tree through which gold was replayed (``labeling.sop.replay``), the
steps on the way to the rule's leaves say more, since they are told apart from each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from labeling.policies import Policy
from labeling.sop.outline import steps_to
from labeling.sop.replay import TARGET
from labeling.sop.tree import Sop

Json = dict[str, Any]


class Reading(StrEnum):
    """How people read a rule or a step. ``astray``: they agree, and lose gold all the same; ``lost``: gold is lost, and
    no item was walked twice, so nobody can tell how; ``unsure``: the interval holds the target, so a larger sample
    would tell."""

    DIFFER = "people differ"
    ASTRAY = "people go astray"
    LOST = "gold is lost"
    UNSURE = "not sure yet"
    AGREE = "people agree"
    FEW = "too few answers"
    UNKNOWN = "nobody was asked"


GRAVEST = tuple(Reading)  # as they stand above
OF_STEPS = {
    "ambiguous": Reading.DIFFER,
    "misleading": Reading.ASTRAY,
    "losing": Reading.LOST,
    "fine": Reading.AGREE,
    "insufficient": Reading.FEW,
}


def reading(figure: Mapping[str, Any] | None) -> Reading:
    """Of a share that agrees, held against ``TARGET`` by its interval."""
    if figure is None or not figure["n"]:
        return Reading.UNKNOWN
    if figure["value"] is None:
        return Reading.FEW
    if figure["high"] is not None and figure["high"] < TARGET:
        return Reading.DIFFER
    return Reading.AGREE if figure["low"] is not None and figure["low"] >= TARGET else Reading.UNSURE


def reading_of_step(verdict: str) -> Reading:
    """Of a step, by the verdict of its replay."""
    return OF_STEPS[verdict]


def mark_of_definition(policy_id: str, cells: Iterable[Mapping[str, Any]]) -> Json:
    """The same of the definition: whether those who answer the same task agree that the policy is broken at all, in
    every language together. Nothing of the kind is known of a single guideline."""
    mine = (cell for cell in cells if (cell["policy"], cell["language"], cell["rule_id"]) == (policy_id, "", ""))
    blind = next((cell["outcome"]["observed"] for cell in mine), None)
    return {"reading": reading(blind), "blind": blind}


def marks(
    policy: Policy, cells: Iterable[Mapping[str, Any]], sop: Sop | None, replayed: Mapping[str, Any] | None
) -> list[Json]:
    """One a rule, in the text's order. ``cells``: of agreement, as JSON; ``replayed``: a replay of ``sop``, as JSON."""
    blind = {cell["rule_id"]: cell["outcome"]["observed"] for cell in cells if cell["policy"] == policy.id}
    steps = {step["step"]: step for step in replayed["steps"]} if replayed else {}
    told = []
    for rule in policy.rule_ids:
        way = steps_to(sop, rule) if sop else []
        mine = [steps[name] | {"reading": reading_of_step(steps[name]["verdict"])} for name in way if name in steps]
        found = [reading(blind.get(rule)), *(step["reading"] for step in mine)]
        gravest = min(found, key=GRAVEST.index)
        told.append({"rule": rule, "reading": gravest, "blind": blind.get(rule), "steps": mine, "way": way})
    return told
