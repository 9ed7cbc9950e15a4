"""Do people agree, and what do their answers come to: by policy, by language, by rule.

Units are blind tasks with two answers or more. Bootstraps keep near-duplicates together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labeling.blind_answers import BlindAnswer, BlindAnswers, Stores, blind_answers
from labeling.errors import NothingToDo
from labeling.figures import Origin, link, versions_of
from labeling.golden.newest import UNPUBLISHED, newest_name
from labeling.people import OUTCOMES
from labeling.quality.aggregate import AGGREGATORS
from labeling.quality.agreement import Agreement, OrderedAgreement, by_outcome, by_rule, ordered_summary, summary
from labeling.quality.choice import Choice, choose_aggregator
from labeling.quality.model_vote import model_voter
from labeling.quality.votes import Votes
from labeling.records import Answer, Outcome
from labeling.store.interfaces import Lake

ALL = ""
LICENCE = "sample: items that people were asked about blind, no population claim"
DECIDED = "sample: items on which people had disagreed and a lead decided, no population claim"
WHERE = "/v1/agreement/items"
LEVELS = (0, 1, 2, 3, 4)  # S0 to S4
MOST_VOTES = 10_000  # that an aggregator is chosen by: crowd-kit's take seconds for as many


@dataclass(frozen=True, slots=True)
class Cell:
    """A policy ("": all) in a language ("": all), or of one ``rule``. ``outcome``: is the outcome the same; ``rule``:
    outcome and rule; ``severity``: among those who say that it violates. In the cell of one rule, ``outcome`` asks
    whether they say that this rule is broken, of the tasks where anybody says so of a rule, and the others are None."""

    policy: str
    language: str
    rule_id: str
    outcome: Agreement
    rule: Agreement | None
    severity: OrderedAgreement | None

    versions: str = ""

    def as_dict(self, golden_version: str) -> dict[str, object]:
        """JSON-able."""
        cut = {"policy": self.policy or None, "language": self.language or None, "rule": self.rule_id or None}
        origin = Origin(LICENCE, golden_version, self.versions, link(WHERE, **cut))
        return origin.within(self._told())

    def _told(self) -> dict[str, object]:
        return {
            "policy": self.policy,
            "language": self.language,
            "rule_id": self.rule_id,
            "outcome": self.outcome.as_dict(),
            "rule": None if self.rule is None else self.rule.as_dict(),
            "severity": None if self.severity is None else self.severity.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class Agreements:
    """``cells``: all together, then each policy, each policy and language, each rule. ``consensus``: by policy, which
    aggregator a lead's decisions speak for; empty when it was not asked for. ``withheld``: answers not looked at."""

    cells: tuple[Cell, ...]
    consensus: dict[str, Choice]
    withheld: int
    golden_version: str = UNPUBLISHED

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        whole = {cell.policy: cell for cell in self.cells if not cell.language and not cell.rule_id}
        return {
            "cells": [cell.as_dict(self.golden_version) for cell in self.cells],
            "consensus": {
                policy: Origin(DECIDED, self.golden_version, whole[policy].versions, link(WHERE, policy=policy)).within(
                    choice.as_dict()
                )
                for policy, choice in self.consensus.items()
            },
            "withheld": self.withheld,
        }


def agreements(stores: Stores, lake: Lake, *, consensus: bool = False) -> Agreements:
    """Of everything that was answered blind; ``consensus`` also chooses an aggregator for each policy, which takes
    seconds. Raises NothingToDo when no task has two answers."""
    told = blind_answers(stores, lake)
    tasks = _by_task(told.answers)
    if not tasks:
        raise NothingToDo("no blind task has two answers yet: people answer first (goldfold sync)")
    policies = sorted({rows[0].policy_id for rows in tasks})
    keys = [(ALL, ALL), *((policy, ALL) for policy in policies)]
    keys += sorted({(rows[0].policy_id, rows[0].language) for rows in tasks})
    cells = [_cell(policy, language, tasks) for policy, language in keys]
    cells += [_rule_cell(policy, rule, tasks) for policy in policies for rule in _rules(policy, tasks)]
    choices = {policy: choose(told, policy) for policy in policies} if consensus else {}
    return Agreements(tuple(cells), choices, told.withheld, newest_name(stores.golden))


def agreed_items(stores: Stores, lake: Lake, policy: str = ALL, language: str = ALL, rule: str = ALL) -> list[str]:
    """The items behind a cell: those of the blind tasks with two answers or more, sorted."""
    tasks = _mine(policy, language, _by_task(blind_answers(stores, lake).answers))
    return sorted({rows[0].item_id for rows in (_of_rule(policy, tasks) if rule else tasks)})


def choose(told: BlindAnswers, policy: str) -> Choice:
    """The aggregator of a policy, by what leads decided: tasks on which people had disagreed, so its figures speak for
    these alone. The model votes where its probability was there before the answers. At most about ``MOST_VOTES``: what
    leads decided, and of the rest a part drawn by a hash."""
    answers = [row for row in told.answers if row.policy_id == policy]
    share = MOST_VOTES / max(len(answers), 1)
    rows = [row for row in answers if row.task_id in told.decided or _point(row.task_id) < share]
    votes = Votes.of([(row.task_id, row.person, str(row.answer.outcome)) for row in rows], OUTCOMES)
    everything = frozenset(votes.item_names)
    candidates = {**AGGREGATORS, "pooled_with_model": model_voter(told.model, everything, everything)}
    return choose_aggregator(votes, told.decided, {row.task_id: row.group_id for row in rows}, candidates)


def _by_task(answers: Sequence[BlindAnswer]) -> list[list[BlindAnswer]]:
    tasks: dict[str, list[BlindAnswer]] = {}
    for row in answers:
        tasks.setdefault(row.task_id, []).append(row)
    return [rows for rows in tasks.values() if len(rows) >= 2]


def _cell(policy: str, language: str, tasks: Sequence[list[BlindAnswer]]) -> Cell:
    mine = _mine(policy, language, tasks)
    levels = [[_severity(row.answer) for row in rows] for rows in mine]
    return Cell(
        policy,
        language,
        ALL,
        _summary(mine, by_outcome),
        _summary(mine, by_rule),
        ordered_summary(levels, LEVELS, [rows[0].group_id for rows in mine]),
        _versions(mine),
    )


def _mine(policy: str, language: str, tasks: Sequence[list[BlindAnswer]]) -> list[list[BlindAnswer]]:
    return [rows for rows in tasks if policy in (ALL, rows[0].policy_id) and language in (ALL, rows[0].language)]


def _versions(tasks: Sequence[list[BlindAnswer]]) -> str:
    return versions_of((row.policy_id, row.policy_version) for rows in tasks for row in rows)


def _rule_cell(policy: str, rule: str, tasks: Sequence[list[BlindAnswer]]) -> Cell:
    mine = _of_rule(policy, tasks)
    said = _summary(mine, lambda answer: str(answer.rule == rule))
    return Cell(policy, ALL, rule, said, None, None, _versions(mine))


def _of_rule(policy: str, tasks: Sequence[list[BlindAnswer]]) -> list[list[BlindAnswer]]:
    """The tasks where anybody says that a rule is broken."""
    mine = _mine(policy, ALL, tasks)
    return [rows for rows in mine if any(row.answer.outcome is Outcome.VIOLATES for row in rows)]


def _summary(tasks: Sequence[list[BlindAnswer]], said: Callable[[Answer], str]) -> Agreement:
    return summary([[said(row.answer) for row in rows] for rows in tasks], [rows[0].group_id for rows in tasks])


def _rules(policy: str, tasks: Sequence[list[BlindAnswer]]) -> list[str]:
    return sorted({row.answer.rule for rows in tasks for row in rows if row.policy_id == policy and row.answer.rule})


def _severity(answer: Answer) -> int | None:
    return answer.severity if answer.outcome is Outcome.VIOLATES and answer.severity in LEVELS else None


def _point(task_id: str) -> float:
    digest = hashlib.sha256(f"goldfold\0choice\0{task_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
