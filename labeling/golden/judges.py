"""Which golden rows may judge a model, on whichever partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from labeling.golden.contested import is_contested
from labeling.golden.stale import standing
from labeling.golden.text import has_content
from labeling.records import GoldenItem, GoldState, Outcome, Partition
from labeling.store.interfaces import Golden

ANY = "any"  # the modality of whoever reads items of each


def judging_rows(golden: Golden, version: str, partition: Partition, modality: str = "text") -> list[GoldenItem]:
    """The rows of a published version's partition that have one right answer (not contested, not for want of context),
    whose content is there and of a ``modality`` (ANY: of each), and which hold now: nobody has quarantined, retired or
    erased them since, and no change of their policy touched them."""
    return decidable(standing(golden.members(version), golden.items()), partition, modality)


def decidable(rows: Iterable[GoldenItem], partition: Partition, modality: str = "text") -> list[GoldenItem]:
    """Of a version's rows those of a partition and a modality that have one right answer and their content."""
    return [
        row
        for row in rows
        if row.partition is partition
        and row.state is GoldState.ACTIVE
        and has_content(row)
        and modality in (ANY, row.modality)
        and row.outcome in (Outcome.VIOLATES, Outcome.ALLOWED)
        and not is_contested(row)
    ]


def unread(golden: Golden, version: str, partition: Partition, modality: str) -> dict[str, int]:
    """How many rows of the partition could judge others, and not whoever reads ``modality`` alone: by their own."""
    counts = Counter(row.modality for row in judging_rows(golden, version, partition, ANY))
    return {kind: rows for kind, rows in sorted(counts.items()) if modality not in (ANY, kind)}
