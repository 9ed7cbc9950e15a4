"""What makes a decision tree hard to apply, each with the step or leaf that has it and the cure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from labeling.policies import Policy
from labeling.records import GoldenItem, GoldState, Outcome, Partition
from labeling.sop.tree import UNCLEAR, Leaf, Sop, Step

MAX_DEPTH = 8  # questions before a verdict
SHOWN = (Partition.TRAIN, Partition.DEV)  # gold that may be printed as an example; no other partition's answers leave


class Level(StrEnum):
    """``error``: the tree cannot give the policy's verdicts; ``warning``: people will apply it unevenly."""

    ERROR = "error"
    WARNING = "warning"


class Flaw(StrEnum):
    """What lint looks for."""

    OTHER_POLICY = "other_policy"
    UNREACHABLE = "unreachable"
    UNKNOWN_RULE = "unknown_rule"
    RULE_WITHOUT_LEAF = "rule_without_leaf"
    NO_UNCLEAR = "no_unclear"
    LATE_EXCEPTION = "late_exception"
    TOO_DEEP = "too_deep"
    IDLE_QUESTION = "idle_question"
    NO_EXAMPLES = "no_examples"
    BAD_EXAMPLE = "bad_example"


ERRORS = frozenset({Flaw.OTHER_POLICY, Flaw.UNREACHABLE, Flaw.UNKNOWN_RULE, Flaw.RULE_WITHOUT_LEAF})


@dataclass(frozen=True, slots=True)
class Remark:
    """One flaw at a step or a leaf (``where``, the tree's id for the whole of it)."""

    flaw: Flaw
    where: str
    message: str

    @property
    def level(self) -> Level:
        return Level.ERROR if self.flaw in ERRORS else Level.WARNING

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self) | {"level": self.level.value}


def lint(sop: Sop, policy: Policy, gold: Collection[GoldenItem]) -> list[Remark]:
    """Errors first, then in the tree's order. ``gold``: the policy's golden items, which examples are looked up in."""
    found = [*_of_policy(sop, policy), *_of_ways(sop), *_of_steps(sop, gold)]
    places = {name: n for n, name in enumerate([sop.id, *sop.step_by_id, *sop.leaf_by_id])}
    return sorted(found, key=lambda each: (each.level is Level.WARNING, places[each.where]))


def _of_policy(sop: Sop, policy: Policy) -> Iterator[Remark]:
    if (sop.policy, sop.policy_version) != (policy.id, policy.version):
        yield Remark(
            Flaw.OTHER_POLICY,
            sop.id,
            f"the tree is for {sop.policy} {sop.policy_version}, and {policy.id} {policy.version} is in force: go "
            "through what changed, then name that version in policy_version",
        )
    known = ", ".join(policy.rule_ids)
    for leaf in sop.leaves:
        if leaf.rule is not None and leaf.rule not in policy.rule_ids:
            yield Remark(Flaw.UNKNOWN_RULE, leaf.id, f"{policy.id} has no rule {leaf.rule!r} (known: {known})")
    led_to = {leaf.rule for leaf in sop.leaves}
    for rule in policy.rule_ids:
        if rule not in led_to:
            yield Remark(Flaw.RULE_WITHOUT_LEAF, sop.id, f"no leaf says the rule {rule!r}: add one, or drop the rule")


def _of_ways(sop: Sop) -> Iterator[Remark]:
    depths = sop.depths()
    for name in [*sop.step_by_id, *sop.leaf_by_id]:
        if name not in depths:
            yield Remark(Flaw.UNREACHABLE, name, "nothing leads here: let an answer lead to it, or delete it")
    for leaf in sop.leaves:
        if (depth := depths.get(leaf.id, 0)) > MAX_DEPTH:
            yield Remark(
                Flaw.TOO_DEEP,
                leaf.id,
                f"{depth} questions come before it, more than {MAX_DEPTH}: ask what decides most cases first, or split "
                "the policy",
            )
        if leaf.id in depths:
            yield from _late(sop, leaf)


def _late(sop: Sop, leaf: Leaf) -> Iterator[Remark]:
    """Exceptions that nobody was asked about before the verdict, on one way at least."""
    for exception in leaf.exceptions:
        if exception.asked_at is None or leaf.id in sop.depths(without=exception.asked_at):
            yield Remark(
                Flaw.LATE_EXCEPTION,
                leaf.id,
                f"the exception {exception.text!r} comes after the verdict: ask for it in a step on every way to this "
                "leaf, and name that step in asked_at",
            )


def _of_steps(sop: Sop, gold: Collection[GoldenItem]) -> Iterator[Remark]:
    usable = {item.item_id for item in gold if item.state is GoldState.ACTIVE and item.partition in SHOWN}
    for step in sop.steps:
        if not any(choice.says.casefold() == UNCLEAR for choice in step.answers):
            yield Remark(
                Flaw.NO_UNCLEAR,
                step.id,
                f"has no answer {UNCLEAR!r}: whoever cannot tell would guess; let it lead to a leaf "
                f"{Outcome.CONTEXT_MISSING.value}",
            )
        if len({choice.go for choice in step.answers}) == 1:
            yield Remark(
                Flaw.IDLE_QUESTION, step.id, "all answers lead to the same place: the question decides nothing"
            )
        yield from _of_examples(step, usable)


def _of_examples(step: Step, usable: Collection[str]) -> Iterator[Remark]:
    for kind, ids in (("positive", step.examples.positive), ("near_miss", step.examples.near_miss)):
        if not ids:
            yield Remark(
                Flaw.NO_EXAMPLES,
                step.id,
                f"has no {kind} example: name a golden item of the partition train or dev in examples.{kind}",
            )
        if odd := [item_id for item_id in ids if item_id not in usable]:
            yield Remark(
                Flaw.BAD_EXAMPLE,
                step.id,
                f"examples.{kind}: {', '.join(odd)} is no active golden item of this policy in train or dev",
            )
