"""What the ledger keeps of the golden set's history: events, errata, erasures, holds, and who got which export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from labeling.records import GoldAction, GoldenItem

RELEASES = (
    GoldAction.PROPOSED,
    GoldAction.PUBLISHED,
    GoldAction.APPROVED,
    GoldAction.REJECTED,
    GoldAction.ERRATUM,
)  # of versions, not of golden items


@dataclass(frozen=True, slots=True)
class GoldEvent:
    """One thing that happened to the golden set, in a chain: ``previous`` is the ``sha256`` of the event numbered one
    less, "" of the first, so that none can be changed, taken out or moved without breaking what follows.

    ``row`` is the golden item whole as it was from then on (JSON-able); its hash is ``row_sha256``, which does not
    cover the text. None: the item was erased, or the event is about no item. ``adjudication_id``: the decision behind
    the row.
    """

    number: int
    item_id: str
    policy_id: str
    action: GoldAction
    actor: str
    reason: str
    at: datetime
    adjudication_id: str | None
    row: dict[str, object] | None
    row_sha256: str
    previous: str
    sha256: str


@dataclass(frozen=True, slots=True)
class NewestEvent:
    """The last thing that happened to a golden item itself; ``has_row``: whether its row is still there."""

    number: int
    action: GoldAction
    row_sha256: str
    has_row: bool


@dataclass(frozen=True, slots=True)
class GoldChain:
    """The event chain and the golden items at one moment, to be read once and in this order: ``events`` by number;
    ``items`` with their newest events, by item and policy, None where there is no event, or no item any more.
    ``head``: the last event's number and hash (None: gone); ``erased``: the ids of erased items."""

    head: tuple[int, str] | None
    erased: frozenset[str]
    events: Iterator[GoldEvent]
    items: Iterator[tuple[tuple[str, str], GoldenItem | None, NewestEvent | None]]


@dataclass(frozen=True, slots=True)
class GoldMove:
    """A change of a golden item's tier or state that somebody asks for. ``adjudication_id``: the decision they have
    seen; where another one was folded meanwhile, the move is refused."""

    item_id: str
    policy_id: str
    adjudication_id: str
    action: GoldAction
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Erratum:
    """A row of a released version that is known to be wrong; the version stays as it is."""

    version: str
    item_id: str
    policy_id: str
    reason: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody may erase the item before somebody releases the hold."""

    hold_id: str
    item_id: str
    external_id: str
    reason: str
    actor: str
    at: datetime
    released_at: datetime | None = None
    released_by: str = ""
    release_reason: str = ""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The tombstone of an item: no hash of its content. ``done``: the steps outside the ledger that are behind it;
    ``finished_at``: when all of them were."""

    erasure_id: str
    item_id: str
    external_id: str
    actor: str
    reason: str
    asked_at: datetime
    done: tuple[str, ...] = ()
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HandedOut:
    """An export of a version's ``partitions`` into a ``folder``; ``recipient``: who got it, "" where nobody said."""

    export_id: str
    version: str
    folder: str
    form: str
    partitions: tuple[str, ...]
    recipient: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """A recipient of an export that held an erased item, who is to let it go too, and to say that they have."""

    erasure_id: str
    export_id: str
    recipient: str
    version: str
    external_id: str
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""
