"""What changed from one golden version to another, row by row, in the terms of their manifests.

A row is told by (item, policy). ``kinds`` of a change: ``added``, ``removed``, ``erased`` (it was in the first version
and its content was erased since); ``flipped`` (another outcome), else ``rule`` or ``severity``; ``moved`` (another
partition); ``tier``; ``policy`` (another policy version); ``evidence`` where none of these changed: more votes, another
decision.

Of a row that is sealed in either version it is told that it changed, not how: rules and severities tell the answer too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from labeling.golden import manifest
from labeling.golden_records import Erratum, GoldEvent
from labeling.records import GoldenItem, GoldenVersion, GoldState, Partition

Row = Mapping[str, object]
Pair = tuple[str, str]  # item id, policy id
Ends = tuple[GoldenItem | None, GoldenItem | None]
SHOWN = ("outcome", "rule", "severity", "tier", "partition", "policy_version")
_OPEN = ("added", "removed", "erased", "moved")  # may be told of a sealed row


class Events(Protocol):
    """What happened to golden items."""

    def events(self, item_id: str | None = None, *, after: int = 0, until: int | None = None) -> list[GoldEvent]: ...


class Versions(Events, Protocol):
    """The part of the ledger that is compared."""

    def version(self, version: str) -> GoldenVersion: ...
    def differing(self, before: str, after: str) -> Iterator[tuple[GoldenItem | None, GoldenItem | None]]: ...
    def memberships(self, item_id: str) -> list[tuple[str, GoldenItem]]: ...
    def errata(self, version: str | None = None, item_id: str | None = None) -> list[Erratum]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """One row that differs; None: it is not there."""

    pair: Pair
    kinds: tuple[str, ...]
    before: Row | None
    after: Row | None

    @property
    def sealed(self) -> bool:
        """Whether its answer must not be told."""
        return any(row is not None and row["partition"] == Partition.SEALED for row in (self.before, self.after))

    @property
    def shown(self) -> tuple[str, ...]:
        """The kinds as they may be told."""
        if not self.sealed:
            return self.kinds
        kept = tuple(kind for kind in self.kinds if kind in _OPEN)
        return kept if len(kept) == len(self.kinds) else (*kept, "changed")


@dataclass(frozen=True, slots=True)
class Which:
    """Which rows are told one by one: after the first ``skip`` up to ``limit`` (None: all) of those of a ``kind`` ("":
    each), without the ``sealed`` ones where these are only to be counted."""

    limit: int | None = None
    skip: int = 0
    kind: str = ""
    sealed: bool = True

    def tells(self, change: Change) -> bool:
        """Whether a change is one of them."""
        return (self.sealed or not change.sealed) and (not self.kind or self.kind in change.shown)


@dataclass(frozen=True, slots=True)
class Diff:
    """From one version to another. ``counts`` by kind; ``strata``: the same for each policy, language and partition
    (as in the second version; of what is gone, as in the first); ``rows``: up to a limit, with who and why;
    ``changed``: rows that differ, in all. ``errata``: known errors of either version. ``listed``: rows that could be
    told one by one, of which ``rows`` is a page."""

    before: str
    after: str
    changed: int
    counts: dict[str, int]
    strata: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    errata: list[Erratum]
    listed: int = 0


def told(item: GoldenItem) -> Row:
    """A member as it is compared; of an erased one nothing but where it was."""
    row = manifest.row(item)
    if item.state is not GoldState.ERASED:
        return row
    return {name: row[name] for name in ("item_id", "policy_id", "policy_version", "language", "partition")} | {
        "erased": True
    }


def changes(before: Iterable[Row], after: Iterable[Row]) -> list[Change]:
    """The rows that differ, sorted by item and policy."""
    old, new = _by_pair(before), _by_pair(after)
    return [
        Change(pair, _kinds(old.get(pair), new.get(pair)), old.get(pair), new.get(pair))
        for pair in sorted(old.keys() | new.keys())
        if old.get(pair) != new.get(pair)
    ]


def applied(rows: Iterable[Row], changed: Iterable[Change]) -> list[Row]:
    """``rows`` with the changes made, sorted by item and policy: the second version from the first."""
    found = _by_pair(rows)
    for change in changed:
        if change.after is None:
            found.pop(change.pair)
        else:
            found[change.pair] = change.after
    return [found[pair] for pair in sorted(found)]


def diff(golden: Versions, before: str, after: str, limit: int | None = None, which: Which | None = None) -> Diff:
    """Compare two versions, proposed ones too. Raises NotFound."""
    low, high = sorted(golden.version(name).events for name in (before, after))
    which = Which(limit=limit) if which is None else which
    found = compared(golden, golden.differing(before, after), (low, high), which)
    errata = [*golden.errata(before), *(golden.errata(after) if after != before else [])]
    sealed = _sealed(golden, (before, after), errata)
    return replace(found, before=before, after=after, errata=[withheld(erratum, sealed) for erratum in errata])


def compared(golden: Events, ends: Iterable[Ends], span: tuple[int, int | None], which: Which) -> Diff:
    """What differs between rows, given as each item and policy's row before and after (None: it is not there).
    ``span``: the event after which the first ones stood, and the second ones (None: now). Neither versions nor errata
    are told."""
    tally, shown, passed = _Tally(), list[tuple[Change, str]](), 0
    for change, external_id in _changed(ends):
        tally.add(change)
        if not which.tells(change):
            continue
        passed += 1
        if passed > which.skip and (which.limit is None or len(shown) < which.limit):
            shown.append((change, external_id))
    pairs = {change.pair for change, _ in shown}
    why = _why(golden.events(after=span[0], until=span[1]) if shown else [], pairs)
    rows = [_row(change, external_id, why.get(change.pair, [])) for change, external_id in shown]
    counts = dict(sorted(tally.counts.items()))
    return Diff("", "", tally.changed, counts, tally.by_stratum(), rows, [], passed)


def told_errata(golden: Versions, errata: Sequence[Erratum]) -> list[Erratum]:
    """Errata as they may be told, each by what its row is in its own version."""
    sealed = {erratum: _sealed(golden, (erratum.version,), [erratum]) for erratum in errata}
    return [withheld(erratum, sealed[erratum]) for erratum in errata]


def _changed(ends: Iterable[Ends]) -> Iterator[tuple[Change, str]]:
    """The changes among rows that may differ, each with the item's external id."""
    for before, after in ends:
        old, new = None if before is None else told(before), None if after is None else told(after)
        item = after or before
        if item is not None and old != new:
            yield Change((item.item_id, item.policy_id), _kinds(old, new), old, new), item.external_id


def _sealed(golden: Versions, versions: Collection[str], errata: Iterable[Erratum]) -> frozenset[Pair]:
    """The pairs with errata that are sealed in either version."""
    rows = [row for item_id in {e.item_id for e in errata} for row in golden.memberships(item_id)]
    return sealed_pairs(member for version, member in rows if version in versions)


def sealed_pairs(members: Iterable[GoldenItem]) -> frozenset[Pair]:
    """The (item, policy) pairs of those that are sealed."""
    return frozenset((m.item_id, m.policy_id) for m in members if m.partition is Partition.SEALED)


def withheld(erratum: Erratum, sealed: Collection[Pair]) -> Erratum:
    """An erratum as it may be told: what is said of a sealed row may tell its answer."""
    if (erratum.item_id, erratum.policy_id) not in sealed:
        return erratum
    return Erratum(erratum.version, erratum.item_id, erratum.policy_id, "withheld", erratum.actor, erratum.at)


def _kinds(before: Row | None, after: Row | None) -> tuple[str, ...]:
    if before is None:
        return ("added",)
    if after is None:
        return ("erased" if before.get("erased") else "removed",)
    if before.get("erased") or after.get("erased"):
        return ("erased",)
    differ = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    label = ["flipped"] if "outcome" in differ else [name for name in ("rule", "severity") if name in differ]
    other = [("partition", "moved"), ("tier", "tier"), ("policy_version", "policy")]
    kinds = (*label, *(kind for name, kind in other if name in differ))
    return kinds or ("evidence",)


class _Tally:
    """Changes counted as they come, so that they need not be kept."""

    def __init__(self) -> None:
        self.changed = 0
        self.counts: Counter[str] = Counter()
        self._strata: dict[tuple[str, str, str], Counter[str]] = {}

    def add(self, change: Change) -> None:
        self.changed += 1
        self.counts.update(change.shown)
        row = change.after or change.before or {}
        stratum = (str(row["policy_id"]), str(row["language"]), str(row["partition"]))
        self._strata.setdefault(stratum, Counter()).update(change.shown)

    def by_stratum(self) -> list[dict[str, Any]]:
        names = ("policy", "language", "partition")
        return [
            dict(zip(names, stratum, strict=True)) | {"counts": dict(sorted(self._strata[stratum].items()))}
            for stratum in sorted(self._strata)
        ]


def _why(events: Iterable[GoldEvent], pairs: set[Pair]) -> dict[Pair, list[dict[str, object]]]:
    """Who did what to each row between the two versions, and why."""
    found: dict[Pair, list[dict[str, object]]] = {}
    for event in events:
        if (event.item_id, event.policy_id) in pairs:
            said = {"action": str(event.action), "actor": event.actor, "reason": event.reason, "at": event.at}
            found.setdefault((event.item_id, event.policy_id), []).append(said)
    return found


def _row(change: Change, external_id: str, why: list[dict[str, object]]) -> dict[str, Any]:
    return {
        "item_id": change.pair[0],
        "external_id": external_id,
        "policy": change.pair[1],
        "kinds": list(change.shown),
        "before": _shown(change.before, sealed=change.sealed),
        "after": _shown(change.after, sealed=change.sealed),
        "why": why if not change.sealed else [said | {"reason": "withheld"} for said in why],
    }


def _shown(row: Row | None, *, sealed: bool) -> dict[str, object] | None:
    if row is None:
        return None
    names = ("partition", "policy_version") if sealed or row.get("erased") else SHOWN
    return {name: row[name] for name in names}


def _by_pair(rows: Iterable[Row]) -> dict[Pair, Row]:
    return {(str(row["item_id"]), str(row["policy_id"])): row for row in rows}
