"""Production's decisions that daily QA had judged again, as the plain column records that the miner reads."""

from __future__ import annotations

from collections.abc import Mapping

from labeling.decision_records import Decided, ErrorType
from labeling.insights.judged_answers import Record, production_record
from labeling.insights.qa_verdicts import Reviewed, Stores, reviewed
from labeling.records import Outcome
from labeling.store.interfaces import ItemRegistry

OUTCOMES = {Decided.VIOLATES: Outcome.VIOLATES.value, Decided.OK: Outcome.ALLOWED.value}


def judged_decisions(stores: Stores, items: ItemRegistry, actions: Mapping[str, Decided]) -> list[Record]:
    """One record a judged decision of every day that was sampled, by day, source and id. ``actions``: the outcome that
    an action belongs to. Items go by their external ids."""
    rows = [row for row in reviewed(stores, stores.decisions.days(), actions) if row.is_judged]
    known = items.by_id(sorted({row.decision.item_id for row in rows}))
    return [_record(row, known[row.decision.item_id].external_id) for row in rows if row.decision.item_id in known]


def _record(row: Reviewed, item: str) -> Record:
    decision = row.decision
    gold = Outcome.VIOLATES if row.violates else Outcome.ALLOWED
    where = {name: getattr(decision, name) for name in ("team", "language", "shift", "tool")}
    return production_record(
        item=item,
        policy=decision.policy_id,
        policy_version=decision.policy_version,
        gold=(gold.value, row.rule),
        given=(OUTCOMES[decision.outcome] if decision.outcome else "", decision.rule),
        technical=row.verdict == ErrorType.TECHNICAL.value,
        person=decision.who,
        source=decision.source.value,
        **where,
    )
