"""The assisted lane: a random share of a round's picks is answered beside the model's suggestion.

Such answers are quick, and they lean towards what was suggested, so they never certify gold. A random share of these
picks is also asked blind: the two together say how far suggestions pull (``labeling.anchoring``). The assisted
question of such a pick waits until its blind one has an end, because every member of a free Label Studio can open every
project: whoever answers blind finds no suggestion anywhere.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from labeling.errors import InvalidInput
from labeling.policies import Policies
from labeling.records import Outcome, PickRow, Task, TaskKind
from labeling.round_costs import costs_of
from labeling.round_thresholds import thresholds_of
from selection.hashing import item_hashes, uniforms
from selection.types import RELABEL

Pair = tuple[str, str]  # item, policy


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a person sees ticked before they answer. ``score``: the model's probability of that outcome, in [0, 1].
    ``rule``: only where the model names one. ``model``: name and version of the scorer; nobody is shown it."""

    outcome: Outcome
    score: float
    model: str
    rule: str | None = None

    def as_prompt(self) -> str:
        """As ``Task.prompt`` keeps it."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Draw:
    """Which picks are ``assisted``, and which of these are ``also_blind``; ``of``: picks that took part."""

    assisted: frozenset[Pair]
    also_blind: frozenset[Pair]
    of: int

    def people(self, pair: Pair, overlap: int) -> int:
        """How many people see a pick in all, when ``overlap`` answer it blind."""
        if pair not in self.assisted:
            return overlap
        return 1 + (overlap if pair in self.also_blind else 0)

    def as_dict(self) -> dict[str, int]:
        return {"picks": len(self.assisted), "also_blind": len(self.also_blind), "of": self.of}


def check_shares(assisted: float, blind_share: float) -> None:
    """Raises InvalidInput naming the one that is no share."""
    if not 0 <= assisted <= 1:
        raise InvalidInput(f"assisted: {assisted} is no share from 0 to 1 of the round's picks")
    if not 0 < blind_share <= 1:
        raise InvalidInput(f"assisted_blind_share: {blind_share} is no share above 0 and up to 1 of the assisted picks")


def suggest(probability: float, threshold: float, model: str) -> Suggestion:
    """The outcome at the policy's threshold. Our scorers judge policies and name no rule."""
    if probability >= threshold:
        return Suggestion(Outcome.VIOLATES, probability, model)
    return Suggestion(Outcome.ALLOWED, 1 - probability, model)


def suggested(task: Task) -> Suggestion | None:
    """What was suggested beside a task; None where nothing was, or where it is not known any more."""
    if task.kind is not TaskKind.ASSISTED or not task.prompt:
        return None
    told = json.loads(task.prompt)
    return Suggestion(Outcome(told["outcome"]), float(told["score"]), str(told["model"]), told["rule"])


def draw(plan: Mapping[str, object], seed: int, picks: Iterable[tuple[str, str, str]]) -> Draw:
    """By the plan's shares, out of the picks (item, policy, lane) but for second looks: those with the lowest keyed
    numbers, so the same whenever it is asked. Every pick has the same chance, whatever its lane or score."""
    share, blind_share = float(str(plan.get("assisted", 0.0))), float(str(plan.get("assisted_blind_share", 1.0)))
    given = list(picks)
    pairs = sorted((item_id, policy) for item_id, policy, lane in given if lane != RELABEL)
    chosen = min(len(pairs), round(share * len(given)))
    if not chosen:
        return Draw(frozenset(), frozenset(), len(pairs))
    ordered = _shuffled(pairs, seed, "assisted")[:chosen]
    both = _shuffled(sorted(ordered), seed, "assisted-blind")[: max(1, round(blind_share * chosen))]
    return Draw(frozenset(ordered), frozenset(both), len(pairs))


def _shuffled(pairs: Sequence[Pair], *words: object) -> list[Pair]:
    numbers = uniforms(item_hashes(["\0".join(pair) for pair in pairs]), *words)
    return [pair for _, pair in sorted(zip(numbers.tolist(), pairs, strict=True))]


def with_assisted(
    tasks: Sequence[Task],
    picks: Sequence[PickRow],
    plan: Mapping[str, object],
    drawn: Draw,
    policies: Policies,
    model: str,
    image_model: str = "",
) -> list[Task]:
    """A round's blind tasks, with the assisted ones beside or instead of them. ``model``: what suggests;
    ``image_model``: what suggests for images."""
    if not drawn.assisted:
        return list(tasks)
    chances = {(pick.item_id, pick.policy_id): pick.probability for pick in picks}
    looks = costs_of(_floats(plan.get("costs", {})))
    made: list[Task] = []
    for task in tasks:
        pair = (task.item_id, task.policy_id)
        if pair not in drawn.assisted or pair in drawn.also_blind:
            made.append(task)
        if pair in drawn.assisted:
            policy = policies[task.policy_id]
            suggests = image_model if task.modality == "image" else model
            threshold = thresholds_of(plan, task.modality)[policy.id]
            suggestion = suggest(chances[pair], threshold, suggests)
            units = 2**policy.severity * chances[pair] * looks.look(task.text, task.modality)
            made.append(_assisted(task, suggestion, units, twin=pair in drawn.also_blind))
    return made


def _floats(value: object) -> dict[str, float]:
    return {str(name): float(number) for name, number in value.items()} if isinstance(value, Mapping) else {}


def _assisted(task: Task, suggestion: Suggestion, units: float, *, twin: bool) -> Task:
    return replace(
        task,
        task_id=uuid.uuid4().hex,  # says nothing about the item or its blind task
        kind=TaskKind.ASSISTED,
        overlap=1,
        parent_task_id=task.task_id if twin else None,
        prompt=suggestion.as_prompt(),
        exposure=units,
    )
