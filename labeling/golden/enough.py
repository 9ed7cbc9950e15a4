"""Can what is left of a partition answer a question at all?

A change of policy makes labels stale, and it touches one side more than the other: a rule that is loosened takes the
violating labels, one that is tightened the allowed ones. What is left then still gives figures, and they mean nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from labeling.errors import TooLittleGold
from labeling.quality.intervals import FEW
from labeling.records import GoldenItem, GoldState, Outcome, Partition
from labeling.store.interfaces import Golden

LEAST = FEW + 1  # labels of a policy, from which there is a figure


def shortfalls(rows: Sequence[GoldenItem], policies: Collection[str], *, least: int = LEAST) -> dict[str, str]:
    """Of ``policies`` those that ``rows`` of one partition cannot judge, and why: none, fewer than ``least``, or all of
    one kind. Which kind is not told of sealed ones."""
    found = {policy: [row for row in rows if row.policy_id == policy] for policy in policies}
    why = {policy: _shortfall(mine, least) for policy, mine in sorted(found.items())}
    return {policy: reason for policy, reason in why.items() if reason}


def stale_labels(golden: Golden, frozen: Sequence[GoldenItem], partition: Partition) -> Counter[str]:
    """By policy, how many of a published version's rows of a partition are stale now. ``frozen``: its members."""
    now = golden.items(partition=partition.value)
    stale = {(row.item_id, row.policy_id) for row in now if row.state is GoldState.STALE}
    return Counter(
        row.policy_id for row in frozen if row.partition is partition and (row.item_id, row.policy_id) in stale
    )


def too_little(
    version: str, partition: Partition, lacking: Mapping[str, str], stale: Mapping[str, int], what: str
) -> TooLittleGold:
    """The error that says of each policy what lacks. ``what``: the question that cannot be answered."""
    told = "; ".join(f"{policy}: {reason}{_stale(stale.get(policy, 0))}" for policy, reason in lacking.items())
    again = " (what is stale is asked again by goldfold policy relabel)" if any(map(stale.get, lacking)) else ""
    return TooLittleGold(
        f"golden version {version} cannot {what} by its {partition} partition: {told}; label more{again}, publish, "
        "and name that version"
    )


def refuse_if_none_can(
    golden: Golden,
    version: str,
    partition: Partition,
    rows: Sequence[GoldenItem],
    policies: Collection[str],
    what: str,
    *,
    least: int = LEAST,
) -> None:
    """Raises TooLittleGold where ``rows``, those of the partition that are left, answer for none of ``policies``. Those
    that had no label in the version are left aside, unless that is all of them."""
    lacking = shortfalls(rows, policies, least=least)
    if policies and len(lacking) == len(set(policies)):
        stale = stale_labels(golden, golden.members(version), partition)
        there = {row.policy_id for row in rows} | set(stale)
        raise too_little(version, partition, {p: w for p, w in lacking.items() if p in there} or lacking, stale, what)


def refuse_if_stale(golden: Golden, version: str, partition: Partition, policies: Collection[str], what: str) -> None:
    """Raises TooLittleGold where the version has labels of ``policies`` in the partition that are stale now; for who
    found none that is not."""
    if any(stale_labels(golden, golden.members(version), partition)[policy] for policy in policies):
        refuse_if_none_can(golden, version, partition, [], policies, what)


def _shortfall(rows: Sequence[GoldenItem], least: int) -> str:
    violating = sum(row.outcome is Outcome.VIOLATES for row in rows)
    if not rows:
        return "no label is left"
    if len(rows) < least:
        return f"{len(rows)} labels are left, {least} are needed"
    if violating in (0, len(rows)):
        kind = "of one kind" if rows[0].partition is Partition.SEALED else "violating" if violating else "allowed"
        return f"all {len(rows)} labels that are left are {kind}"
    return ""


def _stale(count: int) -> str:
    return f" ({count} are stale)" if count else ""
