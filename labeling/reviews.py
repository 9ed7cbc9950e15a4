"""The second look at what leads decide: a share of adjudications goes to another lead, who decides it blind.

Which ones is told by a hash of the task's id: nobody chooses, and no lead can tell. The second lead gets the same
content and the same answers, in another order, in the same project, and is not told that somebody has decided. Their
agreement says how far one lead's word can be trusted. Where the two differ, the label stays the first one's, marked
``contested``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from labeling.adjudication import Settlement, derived, prompt, settle
from labeling.consensus import difference
from labeling.figures import Origin, link, versions_of
from labeling.golden.newest import newest_name
from labeling.quality.intervals import Figure, proportion
from labeling.records import Adjudication, Annotation, AnnotationEvent, How, Task, TaskKind, TaskState, Verdict
from labeling.store.interfaces import Golden, Tasks

LICENCE = "sample: adjudications drawn by a hash of their task, no population claim"
WHERE = "/v1/leads/items"


class Stores(Protocol):
    """The part of the ledger that the agreement of leads is read from."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...


def is_reviewed(question: Task, share: float) -> bool:
    """Whether a second lead decides this adjudication task too; ``share`` in [0, 1] of all tasks, by a hash."""
    digest = hashlib.sha256(f"goldfold\0review\0{question.task_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def review_task(question: Task, answers: Sequence[Annotation], now: datetime) -> Task:
    """The task for the second lead, the same when it is made twice; ``answers`` are those of the blind copy."""
    task_id = derived("review-task", question.task_id)
    return replace(
        question,
        task_id=task_id,
        kind=TaskKind.REVIEW,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        parent_task_id=question.task_id,
        error="",
        created_at=now,
        updated_at=now,
        prompt=prompt(task_id, answers),
    )


def second_verdict(
    review: Task,
    first: Adjudication,
    answers: Sequence[Annotation],
    blind_events: Iterable[AnnotationEvent],
    now: datetime,
    leads: Collection[str] = (),
) -> Settlement:
    """As ``labeling.adjudication.settle``; whoever decided the first time does not count either."""
    barred = {first.adjudicator, *first.annotators}
    settlement = settle(review, answers, (), blind_events, now, leads, barred)
    final = settlement.adjudication
    if final is None:
        return settlement
    return replace(settlement, adjudication=replace(final, votes=first.votes, annotators=first.annotators))


def differs(first: Adjudication, second: Adjudication) -> bool:
    """By outcome, rule, two levels of severity, or whether there is one right answer at all."""
    one_right = {first.verdict is Verdict.SINGLE, second.verdict is Verdict.SINGLE}
    return bool(difference([first.answer, second.answer])) or len(one_right) > 1


def contested(second: Adjudication) -> Adjudication:
    """The second adjudication as it is recorded where the leads differ."""
    return replace(second, how=How.CONTESTED)


@dataclass(frozen=True, slots=True)
class LeadAgreement:
    """How often a second lead, blind, said what the first had said; ``open``: second looks not answered yet.
    ``verdicts`` and ``causes`` count what first adjudications say, by policy."""

    agreed: Figure
    by_policy: Mapping[str, Figure]
    open: int
    verdicts: Mapping[str, Mapping[str, int]]
    causes: Mapping[str, Mapping[str, int]]
    golden_version: str
    versions: Mapping[str, str]

    def as_dict(self) -> dict[str, object]:
        """JSON-able; each figure can be quoted by itself."""

        def told(figure: Figure, policy: str, versions: str) -> dict[str, object]:
            origin = Origin(LICENCE, self.golden_version, versions, link(WHERE, policy=policy or None))
            return origin.of(figure.as_dict())

        return {
            "agreed": told(self.agreed, "", ", ".join(self.versions.values())),
            "by_policy": {name: told(one, name, self.versions[name]) for name, one in self.by_policy.items()},
            "open": self.open,
            "verdicts": {policy: dict(said) for policy, said in self.verdicts.items()},
            "causes": {policy: dict(said) for policy, said in self.causes.items()},
        }


def lead_agreement(stores: Stores) -> LeadAgreement:
    """Of every adjudication there is."""
    finals, pairs = _looked_at_twice(stores)
    policies = sorted({second.policy_id for second, _ in pairs})
    reviews = stores.tasks.where(kind=TaskKind.REVIEW)
    return LeadAgreement(
        agreed=_share([same for _, same in pairs]),
        by_policy={name: _share([same for second, same in pairs if second.policy_id == name]) for name in policies},
        open=sum(task.state not in (TaskState.SETTLED, TaskState.WITHDRAWN) for task in reviews),
        verdicts=_counts([(final.policy_id, final.verdict) for final in finals]),
        causes=_counts([(final.policy_id, final.cause) for final in finals]),
        golden_version=newest_name(stores.golden),
        versions={
            policy: versions_of((s.policy_id, s.policy_version) for s, _ in pairs if s.policy_id == policy)
            for policy in policies
        },
    )


def twice_decided(stores: Stores, policy: str = "") -> list[str]:
    """The items that two leads decided, sorted."""
    _, pairs = _looked_at_twice(stores)
    return sorted({second.item_id for second, _ in pairs if policy in ("", second.policy_id)})


def _looked_at_twice(stores: Stores) -> tuple[list[Adjudication], list[tuple[Adjudication, bool]]]:
    """First adjudications; and the second ones, with whether each says what the first had said."""
    finals = [final for final in stores.golden.adjudications() if final.adjudicator]
    reviews = {task.task_id: task for task in stores.tasks.where(kind=TaskKind.REVIEW)}
    questions = stores.tasks.find([task.parent_task_id or "" for task in reviews.values()])
    firsts = {final.task_id: final for final in finals if final.task_id not in reviews}
    pairs: list[tuple[Adjudication, bool]] = []
    for second in finals:
        if second.task_id in reviews:
            first = firsts[questions[reviews[second.task_id].parent_task_id or ""].parent_task_id or ""]
            pairs.append((second, not differs(first, second)))
    return list(firsts.values()), pairs


def _share(same: Sequence[bool]) -> Figure:
    return proportion(sum(same), len(same))


def _counts(said: Sequence[tuple[str, str | None]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for policy, value in said:
        if value is not None:
            counts.setdefault(policy, Counter())[str(value)] += 1
    return {policy: dict(sorted(counts[policy].items())) for policy in sorted(counts)}
