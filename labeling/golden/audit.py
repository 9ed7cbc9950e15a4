"""Everything of the golden set that can be checked by hashes, in one go: the event chain, the set as it is now, and
each published version. What does not fit is named; nothing is repaired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.errors import IntegrityError
from labeling.golden.chain import Head, first_break
from labeling.golden.publish import GoldenArchive, verify
from labeling.golden.text import content_hash
from labeling.records import GoldenItem, GoldenVersion, GoldEvent
from labeling.store.rows import dump_json

Pair = tuple[str, str]  # item id, policy id


class Archive(GoldenArchive, Protocol):
    """The part of the ledger that is audited."""

    def versions(self) -> list[GoldenVersion]: ...
    def chain(self) -> tuple[list[GoldEvent], Head | None, list[GoldenItem]]: ...


@dataclass(frozen=True, slots=True)
class Audited:
    """What was looked at: ``versions`` with ``rows`` in all, ``events`` of the chain. ``problems``: what does not fit."""

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
    problems += [_wrong_text(item) for item in items if _text_differs(item)]
    names = [one.version for one in golden.versions()] if version is None else [version]
    rows = 0
    for name in names:
        try:
            rows += verify(golden, name)
        except IntegrityError as error:
            problems.append(f"version {name}: {error}")
        problems += [f"version {name}: {_wrong_text(m)}" for m in golden.members(name) if _text_differs(m)]
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
    newest: dict[Pair, GoldEvent] = {(e.item_id, e.policy_id): e for e in events if e.row_sha256}
    for item in items:
        event = newest.pop((item.item_id, item.policy_id), None)
        if event is None:
            yield f"{_name(item)}: no event tells of it"
        elif event.row is not None:
            fields = _changed(event.row, dump_json(item))
            if fields:
                yield f"{_name(item)}: it is not what event {event.number} made it: {', '.join(fields)}"
    for (item_id, policy_id), event in newest.items():
        yield f"item {item_id}, policy {policy_id}: event {event.number} tells of it, and it is gone from the set"


def _changed(told: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    return sorted(name for name, value in found.items() if name != "text" and told.get(name, value) != value)


def _text_differs(item: GoldenItem) -> bool:
    return bool(item.text) and content_hash(item.text) != item.content_hash


def _wrong_text(item: GoldenItem) -> str:
    return f"{_name(item)}: its text is not what its content hash says"


def _name(item: GoldenItem) -> str:
    return f"item {item.item_id}, policy {item.policy_id}"
