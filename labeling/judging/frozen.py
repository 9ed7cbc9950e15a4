"""Which sealed rows of a version have left the exam, so that nobody reads an answer off the difference they make.

Who quarantines one sealed row, and asks about the same version before and after, would see what that row's answer was.
So rows leave, and come back, in batches: of a policy, what differs from an earlier question about the version, whoever
asked it, counts once it is ``least`` rows, and until then the exam stays as it was asked. Rows without a text
(erased, stopped) are gone at once, since nothing is left to judge them by. The first question finds the exam as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from labeling.golden.stale import standing
from labeling.model_records import SealedQuery
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Golden, SealedQueries

Key = tuple[str, str]  # item, policy
GONE = "gone"  # in a question: the keys of the rows that had left


def gone_rows(golden: Golden, queries: SealedQueries, version: str, least: int) -> frozenset[Key]:
    """The sealed rows of a version that are left out of a question that is asked now."""
    sealed = [row for row in golden.members(version) if row.partition is Partition.SEALED]
    now = {_key(row) for row in sealed} - {_key(row) for row in standing(sealed, golden.items())}
    return frozenset(batched(_asked(queries.all(), version), now, least))


def batched(before: Sequence[Collection[Key]], now: Collection[Key], least: int) -> set[Key]:
    """``now``, but for each policy of which fewer than ``least`` rows differ from one of the sets ``before``, the
    nearest of these. So any two sets that were ever asked about differ by ``least`` rows of a policy, or not at all."""
    found = set(now)
    for policy in {key[1] for keys in (*before, now) for key in keys}:
        new, *old = ({key for key in keys if key[1] == policy} for keys in (now, *before))
        near = [keys for keys in old if len(keys ^ new) < least]
        if near:
            found = (found - new) | _nearest(near, new)
    return found


def _nearest(sets: Sequence[set[Key]], to: set[Key]) -> set[Key]:
    return min(sets, key=lambda keys: len(keys ^ to))


def kept(gone: Collection[Key], rows: Sequence[GoldenItem]) -> list[GoldenItem]:
    """The rows that are not gone."""
    return [row for row in rows if _key(row) not in gone]


def told(gone: Collection[Key]) -> list[list[str]]:
    """As a question holds them, JSON-able."""
    return [list(key) for key in sorted(gone)]


def without_gone(question: Mapping[str, object]) -> dict[str, object]:
    """A question as it may be shown: which sealed rows have left tells their labels, where a policy changed."""
    return {name: value for name, value in question.items() if name != GONE}


def _asked(queries: Sequence[SealedQuery], version: str) -> list[set[Key]]:
    """What had left at each new question about the version."""
    told = [q.question.get(GONE) for q in queries if q.golden_version == version and not q.is_repeat]
    return [{(str(item), str(policy)) for item, policy in rows} for rows in told if isinstance(rows, list)]


def _key(row: GoldenItem) -> Key:
    return row.item_id, row.policy_id
