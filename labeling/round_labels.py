"""What a round's strategy may know: the gold of the partition ``train`` and, of a committee, what each member says.

No other partition is read here, so no item that judges a model can move a pick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from labeling.records import GoldenItem, GoldState, Outcome, Partition
from labeling.scorebook import F32, EmbeddingScorer, Judge, LakeScorer, Sheet, read_sheet
from labeling.store.interfaces import Golden, Lake
from labeling.training import label_matrix
from scoring.ensemble import Ensemble, HeadCommittee
from selection.strategies.base import Labelled


@dataclass(frozen=True, slots=True)
class Known:
    """``labelled``: None in a cold start. ``items`` count in it; ``left_out`` are settled for training too, but have no
    score or no embedding by this scorer yet."""

    labelled: Labelled | None
    items: int = 0
    left_out: int = 0


def train_rows(golden: Golden, policies: Sequence[str]) -> list[GoldenItem]:
    """The gold that a pick may depend on: active rows of the partition ``train`` with a yes or a no."""
    return [
        row
        for row in golden.items(partition=Partition.TRAIN)
        if row.state is GoldState.ACTIVE and row.outcome is not Outcome.CONTEXT_MISSING and row.policy_id in policies
    ]


def known_labels(
    golden: Golden,
    lake: Lake,
    scorer: Judge,
    policies: Sequence[str],
    dimension: int,
    until: datetime | None = None,
    modality: str = "text",
) -> Known:
    """What was settled under ``policies``, as a strategy reads it: items by id, columns as ``policies``; embeddings
    (l, ``dimension``). ``until``: gold folded in later is left for the next round, so that a round that was killed
    learns from the same. ``modality``: of the items that the scorer reads; of a policy that it does not judge nothing
    is known."""
    rows = [
        row
        for row in train_rows(golden, [policy for policy in policies if policy in scorer.policies])
        if row.modality == modality and (until is None or row.folded_at <= until)
    ]
    ids, answers = label_matrix(rows, policies)
    if not ids:
        return Known(None)
    sheet = read_sheet(lake, scorer, ids)
    if sheet.embeddings.shape[1] != dimension:
        return Known(None, 0, len(ids))
    usable = np.flatnonzero(sheet.embeddings.any(axis=1))
    places = {item_id: row for row, item_id in enumerate(ids)}
    asked = [places[sheet.ids[row]] for row in usable]
    found = Labelled(sheet.embeddings[usable], answers[asked], said(sheet, policies)[usable])
    return Known(found if len(usable) else None, len(usable), len(ids) - len(usable))


def said(sheet: Sheet, policies: Sequence[str]) -> F32:
    """(n, k) the sheet's probabilities under ``policies``, 0 under one that its scorer does not judge."""
    found = np.zeros((len(sheet.ids), len(policies)), np.float32)
    for column, policy in enumerate(policies):
        if policy in sheet.policies:
            found[:, column] = sheet.probabilities[:, sheet.policies.index(policy)]
    return found


def member_opinions(scorer: LakeScorer, sheet: Sheet, policies: Sequence[str]) -> F32 | None:
    """(c, n, k) what each member of a committee says of the sheet's items, from their kept embeddings; None where the
    scorer is no committee, or one whose members do not all read the embedding that is kept."""
    layers = _layers(scorer, sheet) if sheet.embeddings.any() else []
    if not layers:
        return None
    sheets = [replace(sheet, policies=scorer.policies, probabilities=layer) for layer in layers]
    return np.stack([said(each, policies) for each in sheets])


def _layers(scorer: LakeScorer, sheet: Sheet) -> list[F32]:
    if isinstance(scorer, HeadCommittee):
        return list(scorer.opinions(sheet.embeddings))
    parts = scorer.parts if isinstance(scorer, Ensemble) else ()
    readers = [part for part in parts if getattr(part, "embedding_version", "") == scorer.embedding_version]
    heads = [part for part in readers if isinstance(part, EmbeddingScorer)]
    if len(heads) < len(parts):
        return []
    return [head.score_embeddings(sheet.ids, sheet.embeddings).probabilities for head in heads]
