"""Do people agree, and what do their answers come to: by policy, by language, by rule.

Units are blind tasks with two answers or more. Bootstraps keep near-duplicates together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labeling.blind_answers import BlindAnswer, BlindAnswers, Stores, blind_answers
from labeling.errors import NothingToDo
from labeling.people import OUTCOMES
from labeling.quality.aggregate import AGGREGATORS
from labeling.quality.agreement import Agreement, OrderedAgreement, by_outcome, by_rule, ordered_summary, summary
from labeling.quality.choice import Choice, choose_aggregator
from labeling.quality.model_vote import model_voter
from labeling.quality.votes import Votes
from labeling.records import Answer, Outcome
from labeling.store.interfaces import Lake

ALL = ""
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

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
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

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "cells": [cell.as_dict() for cell in self.cells],
            "consensus": {policy: choice.as_dict() for policy, choice in self.consensus.items()},
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
    return Agreements(tuple(cells), choices, told.withheld)


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
    mine = [rows for rows in tasks if policy in (ALL, rows[0].policy_id) and language in (ALL, rows[0].language)]
    levels = [[_severity(row.answer) for row in rows] for rows in mine]
    return Cell(
        policy,
        language,
        ALL,
        _summary(mine, by_outcome),
        _summary(mine, by_rule),
        ordered_summary(levels, LEVELS, [rows[0].group_id for rows in mine]),
    )


def _rule_cell(policy: str, rule: str, tasks: Sequence[list[BlindAnswer]]) -> Cell:
    mine = [
        rows
        for rows in tasks
        if rows[0].policy_id == policy and any(row.answer.outcome is Outcome.VIOLATES for row in rows)
    ]
    return Cell(policy, ALL, rule, _summary(mine, lambda answer: str(answer.rule == rule)), None, None)


def _summary(tasks: Sequence[list[BlindAnswer]], said: Callable[[Answer], str]) -> Agreement:
    return summary([[said(row.answer) for row in rows] for rows in tasks], [rows[0].group_id for rows in tasks])


def _rules(policy: str, tasks: Sequence[list[BlindAnswer]]) -> list[str]:
    return sorted({row.answer.rule for rows in tasks for row in rows if row.policy_id == policy and row.answer.rule})


def _severity(answer: Answer) -> int | None:
    return answer.severity if answer.outcome is Outcome.VIOLATES and answer.severity in LEVELS else None


def _point(task_id: str) -> float:
    digest = hashlib.sha256(f"goldfold\0choice\0{task_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
