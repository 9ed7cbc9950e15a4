"""Gold replayed through a decision tree: which question is it that people answer unevenly, or that sends them astray?

A *walk* is one person's (or agent's) answers to the steps, about one item. A step *loses* an item when gold's verdict
could still be reached before its answer, and cannot be after it. So each wrong verdict is counted at one step, the one
where it came about.

A question is *ambiguous* when people differ about the items that are lost there, *misleading* when they agree and lose
them all the same, and *losing* where no lost item was walked by two people, so that nobody can tell which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import NamedTuple

from labeling.errors import InvalidInput, NothingToDo
from labeling.figures import Origin, link
from labeling.golden.newest import UNPUBLISHED
from labeling.quality.agreement import Agreement, summary
from labeling.quality.intervals import Figure, proportion
from labeling.records import GoldenItem, GoldState, Outcome
from labeling.sop.lint import SHOWN
from labeling.sop.tree import Leaf, Sop

TARGET = 0.9  # share of the walks that a question shall not lose
SPLIT = 0.5  # share of the lost, among items that two people walked, on which people differ: from there on ambiguous
LOSING = ("ambiguous", "misleading", "losing")
WHERE = "/v1/golden/items"
LICENCE = "conditional: the golden items that were walked, as they were chosen"
Verdict = tuple[Outcome, str | None]


class Walk(NamedTuple):
    """``answers``: step id to what was said there."""

    item_id: str
    person: str
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StepReport:
    """What became of the walks that came to a step with gold in reach. ``kept``: the share of these with gold in reach
    after it. ``agreement``: among the people who answered the step about the same item. ``verdict``: fine, ambiguous,
    misleading, losing, or insufficient. ``lost``: items that were lost here, by id."""

    step: str
    kept: Figure
    agreement: Agreement
    verdict: str
    lost: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self) | {"kept": self.kept.as_dict(), "agreement": self.agreement.as_dict()}


@dataclass(frozen=True, slots=True)
class Replay:
    """``right``: share of whole walks that end at gold's verdict. ``worst``: the step that loses most, "" where none is
    known to lose too much. ``homeless``: gold whose verdict no leaf says. ``unfinished``: walks that stopped early;
    ``without_gold``: walks about items that are no gold to be shown."""

    sop: str
    tree_hash: str
    policy: str
    policy_version: str
    golden_version: str | None
    right: Figure
    steps: tuple[StepReport, ...]
    worst: str
    walks: int
    unfinished: int
    without_gold: int
    homeless: tuple[str, ...]
    licence: str = LICENCE

    def as_dict(self) -> dict[str, object]:
        """JSON-able; each figure can be quoted by itself."""
        told = asdict(self) | {"right": self.right.as_dict(), "steps": [step.as_dict() for step in self.steps]}
        items = link(WHERE, policy=self.policy, version=self.golden_version)
        return Origin(self.licence, self.golden_version or UNPUBLISHED, self.policy_version, items).within(told)


def replay(
    sop: Sop, gold: Iterable[GoldenItem], walks: Sequence[Walk], golden_version: str | None = None, *, seed: int = 0
) -> Replay:
    """Raises InvalidInput for an answer that its step does not have, NothingToDo where no walk is about gold of the
    partitions train and dev."""
    truth = {item.item_id: item for item in gold if item.partition in SHOWN and item.state is GoldState.ACTIVE}
    known = [walk for walk in walks if walk.item_id in truth]
    if not known:
        raise NothingToDo(
            "answers: none is about an active golden item of train or dev: give answers about items of "
            "`goldfold golden items`"
        )
    verdicts = {item_id: _verdict(item) for item_id, item in truth.items()}
    said = {(leaf.outcome, leaf.rule) for leaf in sop.leaves}
    homeless = sorted({walk.item_id for walk in known if verdicts[walk.item_id] not in said})
    at_home = [walk for walk in known if verdicts[walk.item_id] in said]
    groups = {item_id: item.group_id for item_id, item in truth.items()}
    passed = _passages(sop, at_home, verdicts)
    steps = tuple(_report(step.id, passed.get(step.id, []), groups, seed) for step in sop.steps)
    ends = [(walk, _end(sop, walk)) for walk in at_home]
    whole = [_says(leaf, verdicts[walk.item_id]) for walk, leaf in ends if leaf is not None]
    losers = [step for step in steps if step.verdict in LOSING]
    return Replay(
        sop=sop.id,
        tree_hash=sop.tree_hash,
        policy=sop.policy,
        policy_version=sop.policy_version,
        golden_version=golden_version,
        right=proportion(sum(whole), len(whole)),
        steps=steps,
        worst=max(losers, key=lambda step: step.kept.n - step.kept.events).step if losers else "",
        walks=len(known),
        unfinished=sum(leaf is None for _, leaf in ends),
        without_gold=len(walks) - len(known),
        homeless=tuple(homeless),
    )


class _Passage(NamedTuple):
    walk: Walk
    says: str
    kept: bool


def _passages(sop: Sop, walks: Sequence[Walk], verdicts: Mapping[str, Verdict]) -> dict[str, list[_Passage]]:
    """By step: who came there with gold in reach, what they said, and whether it still was afterwards."""

    @cache
    def within(name: str) -> frozenset[Verdict]:
        if name in sop.leaf_by_id:
            leaf = sop.leaf_by_id[name]
            return frozenset({(leaf.outcome, leaf.rule)})
        return frozenset().union(*(within(choice.go) for choice in sop.step_by_id[name].answers))

    found: dict[str, list[_Passage]] = defaultdict(list)
    for walk in walks:
        for name in _path(sop, walk):
            says = walk.answers.get(name)
            if says is None:
                break
            kept = verdicts[walk.item_id] in within(sop.step_by_id[name].go(says))
            found[name].append(_Passage(walk, says, kept))
            if not kept:
                break
    return found


def _report(step: str, passed: Sequence[_Passage], groups: Mapping[str, str], seed: int) -> StepReport:
    by_item: dict[str, list[_Passage]] = defaultdict(list)
    for passage in passed:
        by_item[passage.walk.item_id].append(passage)
    units = [[passage.says for passage in by_item[item_id]] for item_id in sorted(by_item)]
    kept = proportion(sum(passage.kept for passage in passed), len(passed))
    lost = tuple(sorted(item_id for item_id, each in by_item.items() if not all(passage.kept for passage in each)))
    return StepReport(
        step=step,
        kept=kept,
        agreement=summary(units, [groups[item_id] for item_id in sorted(by_item)], seed=seed),
        verdict=_judge(kept, [by_item[item_id] for item_id in lost]),
        lost=lost,
    )


def _judge(kept: Figure, lost: Sequence[Sequence[_Passage]]) -> str:
    if kept.value is None:
        return kept.verdict
    if kept.high >= TARGET:
        return "fine"
    differ = [len({passage.says for passage in each}) > 1 for each in lost if len(each) > 1]
    if not differ:
        return "losing"
    return "ambiguous" if sum(differ) >= SPLIT * len(differ) else "misleading"


def _path(sop: Sop, walk: Walk) -> tuple[str, ...]:
    try:
        return sop.walk(walk.answers)[0]
    except InvalidInput as error:
        raise InvalidInput(f"item {walk.item_id}: {error}") from error


def _end(sop: Sop, walk: Walk) -> Leaf | None:
    return sop.walk(walk.answers)[1]


def _verdict(item: GoldenItem) -> Verdict:
    return item.outcome, item.rule


def _says(leaf: Leaf, verdict: Verdict) -> bool:
    return (leaf.outcome, leaf.rule) == verdict
