"""The anchoring meter: what was answered beside a suggestion, against what others answered blind to the same items.

``labeling.quality.anchoring`` has the figures. Items of the partitions ``sealed`` and ``anchor`` are withheld, as from
every figure about answers, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.assisted import Pair, Suggestion, suggested
from labeling.consensus import author, one_each
from labeling.figures import Origin as Source
from labeling.figures import link, versions_of
from labeling.golden.newest import newest_name
from labeling.quality.anchoring import Said, Shift, by_person, by_policy, shift
from labeling.quality.intervals import Figure, proportion
from labeling.records import Annotation, GoldenItem, GoldState, Origin, Task, TaskKind, TaskState
from labeling.settle import WAITING
from labeling.store.interfaces import Annotations, Golden, Tasks
from labeling.yields import TOLD

LICENCE = "sample: items of the assisted lane that were answered both ways, no population claim"
WHERE = "/v1/anchoring/items"
OUT = (TaskState.WITHDRAWN, TaskState.QUARANTINED)


class Stores(Protocol):
    """The part of the ledger that the meter reads."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class AnchoringReport:
    """``given`` assisted tasks, ``answered`` of them, of which ``withheld`` are not told. ``origins``: what people made
    of the suggestions. ``people`` by (person, policy), ``policies`` by policy, ``overall``: the shifts.

    ``wrong``: the shift where the suggestion is not the gold; ``misled``: of all assisted answers there, those that are
    the suggestion. That gold comes from the very blind answers it is held against, so ``wrong`` is at most a bound from
    above; a shift towards wrong suggestions that is not above 0 is good news all the same.
    """

    given: int
    answered: int
    withheld: int
    origins: dict[str, int]
    people: dict[tuple[str, str], Shift]
    policies: dict[str, Shift]
    overall: Shift
    wrong: Shift
    misled: Figure
    golden_version: str
    versions: Mapping[str, str]

    def as_dict(self, desks: Mapping[str, int]) -> dict[str, object]:
        """JSON-able; each figure can be quoted by itself. People go by address and desk number (``desks``), for leads
        alone."""
        people = [
            {"email": email, "desk": desks.get(email, 0), "policy_id": policy, **self._shift(shift, policy, email)}
            for (email, policy), shift in self.people.items()
        ]
        return {
            "given": self.given,
            "answered": self.answered,
            "withheld": self.withheld,
            "origins": self.origins,
            "people": people,
            "policies": [
                {"policy_id": policy, **self._shift(shift, policy)} for policy, shift in self.policies.items()
            ],
            "overall": self._shift(self.overall),
            "wrong": self._shift(self.wrong),
            "misled": self._source().of(self.misled.as_dict()),
        }

    def _shift(self, found: Shift, policy: str = "", person: str = "") -> dict[str, object]:
        told = {name: getattr(found, name) for name in found.__slots__ if name != "shift"}
        return self._source(policy, person).of({**told, "value": found.shift, "pulls": found.pulls})

    def _source(self, policy: str = "", person: str = "") -> Source:
        versions = self.versions.get(policy) or ", ".join(self.versions.values())
        items = link(WHERE, policy=policy or None, person=person or None)
        return Source(LICENCE, self.golden_version, versions, items)


def report(stores: Stores) -> AnchoringReport:
    """What the assisted lane says now."""
    tasks = [t for t in stores.tasks.where(kind=TaskKind.ASSISTED) if t.state not in OUT]
    lane = {task.task_id: (task, suggestion) for task in tasks if (suggestion := suggested(task)) is not None}
    given = _answered(stores.annotations, list(lane))
    gold = {(g.item_id, g.policy_id): g for g in stores.golden.items()} if given else {}
    told = {task_id: found for task_id, found in given.items() if _is_told(gold.get(_pair(lane[task_id][0])))}
    asked = [lane[task_id][0] for task_id in told]
    said = _beside(lane, told) + _blind(stores, lane, told)
    wrong = {_pair(task) for task, suggestion in lane.values() if _is_wrong(gold.get(_pair(task)), suggestion)}
    misled = [one for one in said if (one.item_id, one.policy_id) in wrong]
    led = [one.follows for one in misled if one.assisted]
    origins = Counter(str(answer.origin) or "unknown" for found in told.values() for answer in found)
    return AnchoringReport(
        given=len(lane),
        answered=len(given),
        withheld=len(given) - len(told),
        origins={name: origins[name] for name in (*filter(None, map(str, Origin)), "unknown")},
        people=by_person(said),
        policies=by_policy(said),
        overall=shift(said),
        wrong=shift(misled),
        misled=proportion(sum(led), len(led)),
        golden_version=newest_name(stores.golden),
        versions={
            policy: versions_of((task.policy_id, task.policy_version) for task in asked if task.policy_id == policy)
            for policy in sorted({task.policy_id for task in asked})
        },
    )


def assisted_items(stores: Stores, policy: str = "", person: str = "") -> list[str]:
    """The items of answered assisted tasks that are told of, sorted; of one person's answers alone, by address."""
    tasks = {t.task_id: t for t in stores.tasks.where(kind=TaskKind.ASSISTED) if t.state not in OUT and suggested(t)}
    gold = {(g.item_id, g.policy_id): g for g in stores.golden.items()}
    found = set()
    for task_id, answers in _answered(stores.annotations, list(tasks)).items():
        task = tasks[task_id]
        by = {author(answer) for answer in answers}
        if _is_told(gold.get(_pair(task))) and policy in ("", task.policy_id) and (not person or person in by):
            found.add(task.item_id)
    return sorted(found)


def close_answered(stores: Stores) -> int:
    """Assisted tasks that were answered are done with: nothing is folded from them. How many are now."""
    sent = [task.task_id for task in stores.tasks.where(kind=TaskKind.ASSISTED, states=WAITING)]
    done = list(_answered(stores.annotations, sent))
    stores.tasks.set_state(done, TaskState.SETTLED)
    return len(done)


def _answered(annotations: Annotations, task_ids: Sequence[str]) -> dict[str, list[Annotation]]:
    """One answer a person, by task, of the tasks that have any."""
    found = annotations.current(task_ids)
    return {task_id: list(one_each(answers)) for task_id, answers in found.items() if answers}


def _beside(lane: Mapping[str, tuple[Task, Suggestion]], told: Mapping[str, Sequence[Annotation]]) -> list[Said]:
    return [_said(*lane[task_id], answer) for task_id, answers in told.items() for answer in answers]


def _blind(
    stores: Stores, lane: Mapping[str, tuple[Task, Suggestion]], told: Mapping[str, Sequence[Annotation]]
) -> list[Said]:
    """What was said blind to the items of those tasks, in the same round."""
    twins = {twin: lane[task_id] for task_id in told if (twin := lane[task_id][0].parent_task_id) is not None}
    answers = _answered(stores.annotations, list(twins))
    return [_said(*twins[twin], answer, blind=True) for twin, found in answers.items() for answer in found]


def _said(task: Task, suggestion: Suggestion, answer: Annotation, *, blind: bool = False) -> Said:
    follows = answer.answer.outcome is suggestion.outcome
    if suggestion.rule is not None:
        follows = follows and answer.answer.rule == suggestion.rule
    return Said(task.item_id, task.policy_id, author(answer), not blind, follows)


def _pair(task: Task) -> Pair:
    return (task.item_id, task.policy_id)


def _is_told(gold: GoldenItem | None) -> bool:
    return gold is None or gold.partition in TOLD


def _is_wrong(gold: GoldenItem | None, suggestion: Suggestion) -> bool:
    return gold is not None and gold.state is GoldState.ACTIVE and gold.outcome is not suggestion.outcome
