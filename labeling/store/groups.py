"""The lake's column groups as Arrow tables: names, the schema of items, checks of what comes in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from labeling.errors import DuplicateItem, InvalidInput
from labeling.records import Item
from labeling.store.rows import name_some

KEY = "item_id"
LOOK_ROWS = 65_536
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")

ITEM_SCHEMA = pa.schema(
    [
        pa.field(KEY, pa.string(), nullable=False),
        pa.field("external_id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("content_hash", pa.string()),
        pa.field("modality", pa.string()),
        pa.field("language", pa.string()),
        pa.field("market", pa.string()),
        pa.field("surface", pa.string()),
        pa.field("views", pa.int64()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("policies", pa.list_(pa.string())),
        pa.field("media", pa.string()),
        pa.field("author", pa.string()),
    ]
)


def check_name(group: str) -> str:
    """A name that is a safe folder name anywhere. Raises InvalidInput."""
    if not _NAME.fullmatch(group):
        raise InvalidInput(f"column group {group!r}: use letters, digits, dot, dash and underscore, 120 at most")
    return group


def item_table(items: Sequence[Item]) -> pa.Table:
    """Items as rows of ``ITEM_SCHEMA``; one that comes twice comes once. Raises DuplicateItem, InvalidInput."""
    distinct: dict[str, Item] = {}
    for row, item in enumerate(items):
        if distinct.setdefault(item.item_id, item).content_hash != item.content_hash:
            raise DuplicateItem(f"row {row}: item_id {item.item_id!r} is there twice with different content")
    columns = {
        name: [getattr(item, name) for item in distinct.values()] for name in ITEM_SCHEMA.names if name != "policies"
    }
    columns["policies"] = [list(item.policies) for item in distinct.values()]
    try:
        return pa.Table.from_pydict(columns, schema=ITEM_SCHEMA)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
        raise InvalidInput(f"items: the lake cannot hold a value: {error}") from error


def column_table(group: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> pa.Table:
    """Rows (item_id + columns) to append. Raises InvalidInput when lengths differ or an id comes twice."""
    if KEY in columns:
        raise InvalidInput(f"column group {group!r}: {KEY} is given by item_ids, not as a column")
    if twice := sorted(item_id for item_id, times in Counter(item_ids).items() if times > 1):
        raise InvalidInput(f"column group {group!r}: item ids that come twice: {name_some(twice)}")
    for name, values in columns.items():
        if len(values) != len(item_ids):
            raise InvalidInput(f"column group {group!r}: {name} has {len(values)} values for {len(item_ids)} item ids")
    key = pa.array(item_ids, pa.string())
    fields = [pa.field(KEY, pa.string(), nullable=False), *(pa.field(name, v.type) for name, v in columns.items())]
    return pa.Table.from_arrays([key, *columns.values()], schema=pa.schema(fields))


def check_schema(group: str, there: pa.Schema, table: pa.Table) -> pa.Table:
    """``table`` with its columns in the order of ``there``. Raises InvalidInput naming a column that differs."""
    if missing := [name for name in there.names if name not in table.column_names]:
        raise InvalidInput(f"column group {group!r}: the new rows lack {', '.join(missing)}")
    if unknown := [name for name in table.column_names if name not in there.names]:
        raise InvalidInput(f"column group {group!r} has no {', '.join(unknown)}; write a group of its own")
    for name in there.names:
        new, old = table.schema.field(name).type, there.field(name).type
        if new != old:
            raise InvalidInput(f"column group {group!r}: {name} is {new}, the rows there are {old}")
    return table.select(there.names)


def together(batches: Iterable[pa.RecordBatch], wanted: int = 0) -> Iterator[pa.Table]:
    """The batches as tables of at least ``wanted`` rows, and ``LOOK_ROWS``, but for the last: a look for so many ids
    hashes all of them each time, so a look at each small batch would cost rows times ids."""
    held, rows = list[pa.RecordBatch](), 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= max(wanted, LOOK_ROWS):
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)
