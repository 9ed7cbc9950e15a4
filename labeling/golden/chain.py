"""The hash chain over everything that happened to the golden set, and the walk that finds the first break.

One chain for the whole set, not one an item: a chain of its own would let an item disappear together with its chain.
An event's SHA-256 is that of its fields as canonical JSON, the hash of the event before among them. Its row is covered
through a hash of its own, which leaves the text out (``content_hash`` stands for it): a text can be taken away, and of
an erased item the whole row, and the chain still holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC

from labeling.golden.manifest import canonical
from labeling.golden_records import GoldEvent
from labeling.records import GoldAction

START = (0, "")  # the head of an empty chain: number, hash
Head = tuple[int, str]
_COVERED = ("number", "item_id", "policy_id", "action", "actor", "reason", "adjudication_id", "row_sha256", "previous")


def row_hash(row: Mapping[str, object] | None) -> str:
    """Hex SHA-256 of a golden row without its text; "" of none."""
    if row is None:
        return ""
    told = {name: value for name, value in row.items() if name != "text"}
    return hashlib.sha256(canonical(told).encode()).hexdigest()


def event_hash(event: GoldEvent) -> str:
    """Hex SHA-256 of all fields but ``row`` and ``sha256``."""
    told = {name: getattr(event, name) for name in _COVERED} | {"at": event.at.astimezone(UTC).isoformat()}
    return hashlib.sha256(canonical(told).encode()).hexdigest()


def first_break(events: Iterable[GoldEvent], head: Head | None, erased: Collection[str] | None = None) -> str:
    """What is wrong with the first event that does not fit, "" when the chain is whole. ``events`` by number; ``head``:
    the last one's number and hash as the ledger keeps them, None when that is gone too. ``erased``: items of which
    some event says that they are; with it no event is held, without it all are."""
    number, last = START
    if erased is None:
        events = list(events)
        erased = {e.item_id for e in events if e.action is GoldAction.ERASED}
    for event in events:
        found = _fault(event, number, last, erased)
        if found:
            return found
        number, last = event.number, event.sha256
    if head is None and number:
        return "the head of the event chain is gone from the ledger"
    if head is not None and head != (number, last):
        return f"the event chain ends with event {number}, and its head says event {head[0]}: events were taken away"
    return ""


def _fault(event: GoldEvent, number: int, last: str, erased: Collection[str]) -> str:
    named = f"event {event.number} ({event.action} {event.item_id}, policy {event.policy_id})"
    if event.number != number + 1:
        return f"event {number + 1} is missing: after {number} comes {event.number}"
    if event.previous != last:
        return f"{named} does not follow event {number}: one of them was replaced or moved"
    if event.row is not None and row_hash(event.row) != event.row_sha256:
        return f"{named}: its row was changed"
    if event.row is None and event.row_sha256 and event.item_id not in erased:
        return f"{named}: its row was taken away, and the item was never erased"
    if event_hash(event) != event.sha256:
        return f"{named} was changed"
    return ""
