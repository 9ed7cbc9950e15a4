"""Move a golden item between tiers and states, where the evidence allows it.

``golden`` needs the blind answers of two people that agree with the label, or a lead's decision. ``anchor`` needs the
blind answers of three experts, all of whom agree with the label: same outcome, same rule, severities less than two
levels apart, and no expert who says otherwise. An expert is who the roster marks as one, or the setting ``leads``
names. Answers given beside a suggestion (assisted), and a lead's who saw others' answers, are no evidence here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.consensus import author, difference, plain
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden.transitions import moved
from labeling.golden_records import GoldMove
from labeling.records import Adjudication, Answer, GoldAction, GoldenItem, Person, TaskKind, Tier
from labeling.second_looks import independent
from labeling.store.interfaces import Annotations, Golden, People, Tasks

BLIND = 2  # people whose blind answers make an item golden
EXPERTS = 3  # experts who make it an anchor


class Stores(Protocol):
    """The part of the ledger that says what stands behind a label."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def people(self) -> People: ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands behind a label: ``answers`` maps person -> blind answer under the same policy version, ``lead`` says
    whether a lead decided."""

    answers: dict[str, Answer]
    lead: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """An item before and after a move; with ``dry_run`` as it would be."""

    item_id: str
    external_id: str
    policy_id: str
    action: GoldAction
    tier_before: str
    tier: str
    state_before: str
    state: str
    dry_run: bool


def change(
    stores: Stores,
    name: str,
    policy_id: str | None,
    action: GoldAction,
    *,
    actor: str,
    reason: str,
    leads: Collection[str] = (),
    dry_run: bool = False,
) -> Changed:
    """Move the golden item of the item called ``name`` (external id, or item id). ``policy_id`` may be left out where
    it is gold under one policy only. Raises NotFound, InvalidInput, Conflict naming what the move lacks."""
    before = one_row(stores.golden, name, policy_id)
    if not reason.strip():
        raise InvalidInput("reason: is empty; say why, it is kept for good")
    after = moved(before, action)
    if action is GoldAction.PROMOTED:
        experts = expert_names(stores.people.all(), leads)
        lacking = missing(after.tier, before, evidence(stores, before), experts)
        if lacking:
            name = f"golden item {before.external_id!r} under {before.policy_id!r}"
            raise Conflict(f"{name} cannot be promoted: {lacking}")
    if not dry_run:
        move = GoldMove(before.item_id, before.policy_id, before.adjudication_id, action, actor, reason)
        after = stores.golden.change([move])[0]
    return Changed(
        item_id=before.item_id,
        external_id=before.external_id,
        policy_id=before.policy_id,
        action=action,
        tier_before=before.tier.value,
        tier=after.tier.value,
        state_before=before.state.value,
        state=after.state.value,
        dry_run=dry_run,
    )


def one_row(golden: Golden, name: str, policy_id: str | None) -> GoldenItem:
    """The golden item that is meant. Raises NotFound, InvalidInput where only a policy would tell."""
    rows = golden.rows_of(name)
    if not rows:
        raise NotFound(f"{name!r} is not in the golden set; give an item's external id")
    mine = [row for row in rows if policy_id in (None, row.policy_id)]
    under = ", ".join(row.policy_id for row in rows)
    if not mine:
        raise NotFound(f"{name!r} is not gold under {policy_id!r}; it is under {under}")
    if len(mine) > 1:
        raise InvalidInput(f"policy: {name!r} is gold under {under}; say which")
    return mine[0]


def evidence(stores: Stores, item: GoldenItem) -> Evidence:
    """What was answered blind to any question about the item under its policy version; one answer a person, the first
    question's before a later one's."""
    asked = [
        task.task_id
        for task in stores.tasks.of_item(item.item_id)
        if task.kind is TaskKind.BLIND
        and (task.policy_id, task.policy_version) == (item.policy_id, item.policy_version)
    ]
    found = stores.annotations.current(asked)
    answers = independent([found[task_id] for task_id in asked])
    decided = _decision(stores.golden.adjudications(item_id=item.item_id), item)
    return Evidence({author(a): plain(a.answer) for a in answers}, decided is not None and bool(decided.adjudicator))


def missing(tier: Tier, item: GoldenItem, found: Evidence, experts: Collection[str]) -> str:
    """What ``item`` lacks to be of ``tier``; "" when nothing."""
    label = Answer(item.outcome, rule=item.rule, severity=item.severity)
    agreeing = {who for who, answer in found.answers.items() if not difference([label, answer])}
    if tier is Tier.GOLDEN:
        enough = found.lead or len(agreeing) >= BLIND
        return "" if enough else f"{_people(len(agreeing))} said so blind; it needs {BLIND}, or a lead's decision"
    asked = {who for who in found.answers if who in experts}
    against = sorted(asked - agreeing)
    if against:
        return f"{_people(len(against))} of the experts said otherwise; an anchor is unanimous"
    have = len(asked & agreeing)
    return "" if have >= EXPERTS else f"{_people(have)} of the experts said so blind; an anchor needs {EXPERTS}"


def expert_names(people: Sequence[Person], leads: Collection[str] = ()) -> frozenset[str]:
    """Who counts as an expert, casefolded."""
    marked = {person.email.casefold() for person in people if person.expert}
    return frozenset(marked | {lead.strip().casefold() for lead in leads})


def _decision(finals: Sequence[Adjudication], item: GoldenItem) -> Adjudication | None:
    return next((final for final in finals if final.adjudication_id == item.adjudication_id), None)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count or 'no'} people"
