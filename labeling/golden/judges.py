"""Which golden rows may judge a model, on whichever partition."""

from __future__ import annotations

from collections.abc import Iterable

from labeling.golden.contested import is_contested
from labeling.golden.stale import standing
from labeling.records import GoldenItem, GoldState, Outcome, Partition
from labeling.store.interfaces import Golden


def judging_rows(golden: Golden, version: str, partition: Partition) -> list[GoldenItem]:
    """The rows of a published version's partition that have one right answer (not contested, not for want of context),
    whose text is there, and which hold now: nobody has quarantined, retired or erased them since, and no change of
    their policy touched them."""
    return decidable(standing(golden.members(version), golden.items()), partition)


def decidable(rows: Iterable[GoldenItem], partition: Partition) -> list[GoldenItem]:
    """Of a version's rows those of a partition that have one right answer and a text."""
    return [
        row
        for row in rows
        if row.partition is partition
        and row.state is GoldState.ACTIVE
        and row.text  # "": stopped or erased since
        and row.modality == "text"
        and row.outcome in (Outcome.VIOLATES, Outcome.ALLOWED)
        and not is_contested(row)
    ]
