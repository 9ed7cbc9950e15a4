"""Everything of the golden set that can be checked by hashes, in one go: the event chain, the set as it is now, and
each published version. What does not fit is named; nothing is repaired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.errors import IntegrityError
from labeling.golden.chain import Head, first_break
from labeling.golden.publish import GoldenArchive, verify
from labeling.golden.text import has_content, text_differs
from labeling.golden_records import Erratum, GoldEvent
from labeling.records import GoldAction, GoldenItem, GoldenVersion, GoldState
from labeling.store.rows import dump_json

RELEASES = (
    GoldAction.PROPOSED,
    GoldAction.PUBLISHED,
    GoldAction.APPROVED,
    GoldAction.REJECTED,
    GoldAction.ERRATUM,
)
Pair = tuple[str, str]  # item id, policy id


class Archive(GoldenArchive, Protocol):
    """The part of the ledger that is audited."""

    def versions(self, *, everything: bool = False) -> list[GoldenVersion]: ...
    def errata(self) -> list[Erratum]: ...
    def chain(self) -> tuple[list[GoldEvent], Head | None, list[GoldenItem]]: ...


@dataclass(frozen=True, slots=True)
class Audited:
    """What was looked at: ``versions`` with ``rows`` in all, ``events`` of the chain; ``problems``: what is amiss."""

    versions: tuple[str, ...]
    rows: int
    events: int
    problems: tuple[str, ...]


def audit(golden: Archive, version: str | None = None) -> Audited:
    """Check the chain, the set and one version, or all of them. Raises NotFound for an unknown version."""
    events, head, items = golden.chain()
    broken = first_break(events, head)
    problems = [broken] if broken else []
    problems += _against_events(events, items)
    problems += [_wrong_text(item) for item in items if text_differs(item)]
    problems += [_lost(item) for item in items if item.state is GoldState.ACTIVE and not has_content(item)]
    versions = golden.versions(everything=True)
    problems += _against_releases(events, versions, golden.errata())
    names = [one.version for one in versions] if version is None else [version]
    rows = 0
    for name in names:
        try:
            rows += verify(golden, name)
        except IntegrityError as error:
            problems.append(f"version {name}: {error}")
        problems += [
            f"version {name}: {_wrong_text(m)}" for m in golden.members(name, unreleased=True) if text_differs(m)
        ]
    return Audited(tuple(names), rows, len(events), tuple(problems))


def check(golden: Archive, version: str | None = None) -> Audited:
    """As ``audit``; raises IntegrityError, with all ``problems``, when there is any."""
    found = audit(golden, version)
    if found.problems:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        raise IntegrityError(f"the golden set was tampered with or damaged: {found.problems[0]}{more}", found.problems)
    return found


def _against_events(events: Sequence[GoldEvent], items: Sequence[GoldenItem]) -> Iterator[str]:
    """The golden items are what their newest events say."""
    newest: dict[Pair, GoldEvent] = {(e.item_id, e.policy_id): e for e in events if e.action not in RELEASES}
    for item in items:
        event = newest.pop((item.item_id, item.policy_id), None)
        if event is None:
            yield f"{_name(item)}: no event tells of it"
        elif (event.action is GoldAction.ERASED) != (item.state is GoldState.ERASED):
            yield f"{_name(item)}: it is {item.state}, and event {event.number} says {event.action}"
        elif event.row is not None:
            fields = _changed(event.row, dump_json(item))
            if fields:
                yield f"{_name(item)}: it is not what event {event.number} made it: {', '.join(fields)}"
    for (item_id, policy_id), event in newest.items():
        if event.action is GoldAction.ERASED:  # it never was gold
            continue
        yield f"item {item_id}, policy {policy_id}: event {event.number} tells of it, and it is gone from the set"


def _against_releases(
    events: Sequence[GoldEvent], versions: Sequence[GoldenVersion], errata: Sequence[Erratum]
) -> Iterator[str]:
    """Versions, what was decided of them, and errata are those that events tell of."""
    told = {_said(event) for event in events if event.action in RELEASES and event.row is not None}
    hashes = {event.number: event.sha256 for event in events}
    found = {(e.version, str(GoldAction.ERRATUM), f"{e.item_id} {e.policy_id} {e.reason}") for e in errata}
    for one in versions:
        how = GoldAction.PROPOSED if one.needs_approval else GoldAction.PUBLISHED
        found.add((one.version, str(how), one.merkle_root))
        if one.decision:
            found.add((one.version, one.decision, one.decided_by))
        if hashes.get(one.events, "") != one.events_sha256:
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
