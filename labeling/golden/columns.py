"""Golden rows as columns: a page of many rows is an Arrow batch, whose columns are fields of ``GoldenItem`` as the
ledger holds them (enums by value, votes as JSON text). What reads a whole version reads it so: no record is made of a
row, and what many rows share is looked at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import IntegrityError
from labeling.golden.text import NO_CAPTION, TEXT
from labeling.records import Cause, GoldenItem, GoldState, How, Outcome, Partition, Tier, Verdict

EXPORTED = (
    "item_id",
    "policy_id",
    "external_id",
    "policy_version",
    "modality",
    "text",
    "language",
    "outcome",
    "rule",
    "severity",
    "votes",
    "how",
    "verdict",
    "cause",
    "tier",
    "state",
    "partition",
    "group_id",
    "lane",
    "pi",
    "content_hash",
    "caption_hash",
    "adjudication_id",
)
COMPARED = ("item_id", "policy_id", "text", "content_hash", "partition", "group_id")  # by the leak check
KINDS: dict[str, type[Enum]] = {
    "outcome": Outcome,
    "how": How,
    "tier": Tier,
    "state": GoldState,
    "partition": Partition,
    "verdict": Verdict,
    "cause": Cause,
}
_NUMBERS = {"severity": pa.int32(), "pi": pa.float64()}
_NONE: dict[str, list[None]] = {"verdict": [None], "cause": [None]}
_KNOWN = {name: pa.array([m.value for m in kind] + _NONE.get(name, []), pa.string()) for name, kind in KINDS.items()}
Rows = Sequence[Sequence[Any]]


def page_of(rows: Rows, names: Sequence[str] = EXPORTED) -> pa.RecordBatch:
    """Rows of values of the fields ``names``, of which ``item_id`` and ``policy_id`` are the first two. Raises
    IntegrityError for a value that is none of its kind."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    kinds = [_NUMBERS.get(name, pa.string()) for name in names]
    arrays = [_array(rows, values, kind) for values, kind in zip(columns, kinds, strict=True)]
    for name, array in zip(names, arrays, strict=True):
        if name in _KNOWN:
            place = pc.index(pc.is_in(array, value_set=_KNOWN[name]), value=False).as_py()
            if place >= 0:
                raise _damaged(rows[place], f"{array[place]} is no {name}")
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def page_of_items(items: Iterable[GoldenItem], names: Sequence[str] = EXPORTED) -> pa.RecordBatch:
    """The same of records."""
    return page_of([[_stored(getattr(item, name)) for name in names] for item in items], names)


def has_content(page: pa.RecordBatch) -> pa.BooleanArray:
    """(n,) ``labeling.golden.text.has_content`` of each row."""
    worded = pc.not_equal(page["text"], "")
    shown = pc.and_(pc.not_equal(page["content_hash"], ""), pc.or_(worded, pc.equal(page["caption_hash"], NO_CAPTION)))
    return pc.if_else(pc.equal(page["modality"], TEXT), worded, shown)


def usable(page: pa.RecordBatch) -> pa.BooleanArray:
    """(n,) which rows a model may learn from or be judged by: in use, with an answer and what it is about."""
    known = pc.and_(pc.equal(page["state"], GoldState.ACTIVE), pc.not_equal(page["outcome"], Outcome.CONTEXT_MISSING))
    return pc.and_(known, has_content(page))


def votes_of(page: pa.RecordBatch) -> tuple[list[dict[str, int]], pa.Int32Array]:
    """The different votes of a page, as many rows have the same, and (n,) which of them each row has. Raises
    IntegrityError for what is no JSON object."""
    written = page["votes"].dictionary_encode()
    found = []
    for place, text in enumerate(written.dictionary.to_pylist()):
        try:
            found.append(dict(json.loads(text)))
        except (ValueError, TypeError) as error:
            row = page.slice(pc.index(written.indices, place).as_py(), 1).to_pylist()[0]
            raise _damaged((row["item_id"], row["policy_id"]), str(error)) from error
    return found, written.indices


def _array(rows: Rows, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except pa.ArrowException as error:
        if len(values) == 1:
            raise _damaged(rows[0], str(error)) from error
        for row, value in zip(rows, values, strict=True):
            _array([row], [value], kind)
        raise


def _damaged(row: Sequence[Any], what: str) -> IntegrityError:
    return IntegrityError(f"golden item {row[0]}, policy {row[1]}: a value of it is damaged ({what}); restore a backup")


def _stored(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return json.dumps(value) if isinstance(value, dict) else value
