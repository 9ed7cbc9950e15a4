"""Everything of the golden set that can be checked by hashes, in one go: the event chain, the set as it is now, and
each published version. What does not fit is named; nothing is repaired. All of it is read through and nothing held but
what does not fit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from labeling.errors import IntegrityError
from labeling.golden.chain import first_break, row_hash
from labeling.golden.publish import GoldenArchive, verify
from labeling.golden.text import has_content, text_differs
from labeling.golden_records import RELEASES, Erratum, GoldChain, GoldEvent, NewestEvent
from labeling.records import GoldAction, GoldenItem, GoldenVersion, GoldState
from labeling.store.rows import dump_json

Pair = tuple[str, str]  # item id, policy id


class Archive(GoldenArchive, Protocol):
    """The part of the ledger that is audited."""

    def versions(self, *, everything: bool = False) -> list[GoldenVersion]: ...
    def errata(self) -> list[Erratum]: ...
    def events(self, *, after: int = 0, until: int | None = None) -> list[GoldEvent]: ...
    def walk(self) -> AbstractContextManager[GoldChain]: ...


@dataclass(frozen=True, slots=True)
class Audited:
    """What was looked at: ``versions`` with ``rows`` in all, ``events`` of the chain; ``problems``: what is amiss."""

    versions: tuple[str, ...]
    rows: int
    events: int
    problems: tuple[str, ...]


def audit(golden: Archive, version: str | None = None) -> Audited:
    """Check the chain, the set and one version, or all of them. Raises NotFound for an unknown version."""
    versions = golden.versions(everything=True)
    seen = _Seen({one.events for one in versions})
    with golden.walk() as chain:
        events = seen.passing(chain.events)
        broken = first_break(events, chain.head, chain.erased)
        deque(events, 0)
        problems = [broken] if broken else []
        problems += _against_events(golden, chain.items)
    problems += _against_releases(seen, versions, golden.errata())
    names = [one.version for one in versions] if version is None else [version]
    rows = 0
    for name in names:
        wrong: list[str] = []
        members = _texts_checked(golden.stream(name, unreleased=True), wrong)
        try:
            rows += verify(golden, name, members)
        except IntegrityError as error:
            problems.append(f"version {name}: {error}")
        deque(members, 0)
        problems += [f"version {name}: {text}" for text in wrong]
    return Audited(tuple(names), rows, seen.count, tuple(problems))


def check(golden: Archive, version: str | None = None) -> Audited:
    """As ``audit``; raises IntegrityError, with all ``problems``, when there is any."""
    found = audit(golden, version)
    if found.problems:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        raise IntegrityError(f"the golden set was tampered with or damaged: {found.problems[0]}{more}", found.problems)
    return found


class _Seen:
    """What is kept of events that pass: those of versions, and the hashes of a few."""

    def __init__(self, wanted: set[int]) -> None:
        self._wanted = wanted
        self.count = 0
        self.releases: list[GoldEvent] = []
        self.hashes: dict[int, str] = {}

    def passing(self, events: Iterable[GoldEvent]) -> Iterator[GoldEvent]:
        for event in events:
            self.count += 1
            if event.action in RELEASES and event.row is not None:
                self.releases.append(event)
            if event.number in self._wanted:
                self.hashes[event.number] = event.sha256
            yield event


def _texts_checked(items: Iterable[GoldenItem], wrong: list[str]) -> Iterator[GoldenItem]:
    for item in items:
        if text_differs(item):
            wrong.append(_wrong_text(item))
        yield item


def _against_events(
    golden: Archive, items: Iterable[tuple[Pair, GoldenItem | None, NewestEvent | None]]
) -> Iterator[str]:
    """The golden items are what their newest events say, their texts and captions are what their hashes say, and none
    of an active one is gone."""
    for (item_id, policy_id), item, event in items:
        if item is None and event is not None and event.action is not GoldAction.ERASED:  # else it never was gold
            yield f"item {item_id}, policy {policy_id}: event {event.number} tells of it, and it is gone from the set"
        if item is None:
            continue
        if event is None:
            yield f"{_name(item)}: no event tells of it"
        elif (event.action is GoldAction.ERASED) != (item.state is GoldState.ERASED):
            yield f"{_name(item)}: it is {item.state}, and event {event.number} says {event.action}"
        elif event.has_row:
            fields = _unlike(golden, event, item)
            if fields:
                yield f"{_name(item)}: it is not what event {event.number} made it: {', '.join(fields)}"
        if text_differs(item):
            yield _wrong_text(item)
        if item.state is GoldState.ACTIVE and not has_content(item):
            yield _lost(item)


def _unlike(golden: Archive, event: NewestEvent, item: GoldenItem) -> list[str]:
    """The fields in which an item is not what its event says. Where the hash is the event's, all but the text are; an
    event that was written before a field was there has another hash."""
    told = dump_json(item)
    if row_hash(told) == event.row_sha256:
        return []
    found = golden.events(after=event.number - 1, until=event.number)
    return _changed(next((one.row for one in found if one.row is not None), {}), told)


def _against_releases(seen: _Seen, versions: Sequence[GoldenVersion], errata: Sequence[Erratum]) -> Iterator[str]:
    """Versions, what was decided of them, and errata are those that events tell of."""
    told = {_said(event) for event in seen.releases}
    found = {(e.version, str(GoldAction.ERRATUM), f"{e.item_id} {e.policy_id} {e.reason}") for e in errata}
    for one in versions:
        how = GoldAction.PROPOSED if one.needs_approval else GoldAction.PUBLISHED
        found.add((one.version, str(how), one.merkle_root))
        if one.decision:
            found.add((one.version, one.decision, one.decided_by))
        if seen.hashes.get(one.events, "") != one.events_sha256:
            yield f"version {one.version}: it was made after event {one.events}, which is another one now"
    for version, action, what in sorted(told - found):
        yield f"version {version}: an event tells that it was {action} ({what}), and the ledger does not hold that"
    for version, action, what in sorted(found - told):
        yield f"version {version}: {action} ({what}), of which no event tells"


def _said(event: GoldEvent) -> tuple[str, str, str]:
    row = event.row or {}
    what = {
        GoldAction.ERRATUM: f"{event.item_id} {event.policy_id} {event.reason}",
        GoldAction.APPROVED: event.actor,
        GoldAction.REJECTED: event.actor,
    }
    return str(row.get("version")), str(event.action), what.get(event.action, str(row.get("merkle_root")))


def _changed(told: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    return sorted(name for name, value in found.items() if name != "text" and told.get(name, value) != value)


def _wrong_text(item: GoldenItem) -> str:
    if item.modality == "text":
        return f"{_name(item)}: its text is not what its content hash says"
    return f"{_name(item)}: its caption is not what its caption hash says"


def _lost(item: GoldenItem) -> str:
    what = "text" if item.modality == "text" else "caption"
    return f"{_name(item)}: its {what} is gone, and no event tells of a stop or an erasure"


def _name(item: GoldenItem) -> str:
    return f"item {item.item_id}, policy {item.policy_id}"
