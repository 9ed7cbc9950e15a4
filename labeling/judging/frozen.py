"""Which sealed rows of a version have left the exam, so that nobody reads an answer off the difference they make.

Who quarantines one sealed row, and asks about the same version before and after, would see what that row's answer was.
So rows leave, and come back, in batches: of a policy, what has changed since the last new question about the version,
whoever asked it, counts once it is ``least`` rows, and until then the exam stays as it was asked. Rows without a text
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
    before = _last(queries.all(), version)
    if before is None:
        return frozenset(now)
    return frozenset(batched(before, now, least))


def batched(before: Collection[Key], now: Collection[Key], least: int) -> set[Key]:
    """``now``, but ``before`` for each policy of which fewer than ``least`` rows differ between the two."""
    found = set(now)
    for policy in {key[1] for key in {*before, *now}}:
        old, new = ({key for key in keys if key[1] == policy} for keys in (before, now))
        if len(old ^ new) < least:
            found = (found - new) | old
    return found


def kept(gone: Collection[Key], rows: Sequence[GoldenItem]) -> list[GoldenItem]:
    """The rows that are not gone."""
    return [row for row in rows if _key(row) not in gone]


def told(gone: Collection[Key]) -> list[list[str]]:
    """As a question holds them, JSON-able."""
    return [list(key) for key in sorted(gone)]


def without_gone(question: Mapping[str, object]) -> dict[str, object]:
    """A question as it may be shown: which sealed rows have left tells their labels, where a policy changed."""
    return {name: value for name, value in question.items() if name != GONE}


def _last(asked: Sequence[SealedQuery], version: str) -> set[Key] | None:
    for query in reversed(asked):
        rows = query.question.get(GONE)
        if query.golden_version == version and not query.is_repeat and isinstance(rows, list):
            return {(str(item), str(policy)) for item, policy in rows}
    return None


def _key(row: GoldenItem) -> Key:
    return row.item_id, row.policy_id
