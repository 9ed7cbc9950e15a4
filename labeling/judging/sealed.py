"""The one door to sealed answers: figures leave, answers do not, and each question is written down and counted.

A question is everything that its answer depends on. Asked again it gets the stored answer and costs nothing. A new one
costs one of the budget of the model's family, because whoever may ask for ever can climb the exam question by question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from labeling.golden.manifest import canonical
from labeling.judging.contender import Contender
from labeling.model_records import SealedQuery
from labeling.store.interfaces import SealedQueries

Json = dict[str, object]


class SealedStores(Protocol):
    """The part of the ledger that sealed questions need."""

    @property
    def sealed(self) -> SealedQueries: ...


@dataclass(frozen=True, slots=True)
class Door:
    """``budget``: questions a family may ask; ``least``: fewest answers a told figure may rest on; ``actor``: who asks
    (a key's id, or ``cli``)."""

    stores: SealedStores
    budget: int
    least: int
    actor: str

    def ask(self, contender: Contender, golden_version: str, question: Json, compute: Callable[[str], Json]) -> Json:
        """What ``compute``, which gets the question's hash, says; or said before. The answer has ``is_repeat`` and
        ``budget_left`` beside it. Raises BudgetSpent before anything is computed."""
        question_hash = hashlib.sha256(canonical(question).encode()).hexdigest()
        queries = self.stores.sealed
        known = queries.answer(question_hash)
        row = SealedQuery(
            question_hash=question_hash,
            at=datetime.now(UTC),
            actor=self.actor,
            model_id=contender.model_id,
            model_version=contender.version,
            family=contender.family,
            golden_version=golden_version,
            question=question,
            answer=None,
            is_repeat=known is not None,
        )
        if known is not None:
            queries.add(row, self.budget)
            return self._told(known, contender, golden_version, is_repeat=True)
        queries.check(contender.family, golden_version, self.budget)
        answer = compute(question_hash)
        first = queries.add(replace(row, answer=answer), self.budget)
        stored = answer if first else queries.answer(question_hash) or answer
        return self._told(stored, contender, golden_version, is_repeat=not first)

    def _told(self, answer: Json, contender: Contender, golden_version: str, *, is_repeat: bool) -> Json:
        spent = self.stores.sealed.spent(contender.family, golden_version)
        return answer | {"is_repeat": is_repeat, "budget_left": max(0, self.budget - spent)}
