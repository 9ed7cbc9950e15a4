"""An exported row: its columns and their types, said once for Arrow, for JSON and for the dataset card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from labeling.golden.columns import votes_of
from labeling.records import Outcome

LABELS = ("allowed", "violates")  # the values of ``label``: 0 and 1
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
Row = dict[str, object]
NOWHERE: Mapping[str, str] = {}
_VIOLATES, _ALLOWED = Outcome.VIOLATES.value, Outcome.ALLOWED.value


@dataclass(frozen=True, slots=True)
class Column:
    """``kind`` is "label", "votes" or a plain type by the name that Arrow and the dataset card share."""

    name: str
    kind: str
    meaning: str


COLUMNS = (
    Column("item_id", "string", "id of the item in Goldfold"),
    Column("external_id", "string", "id of the item where it came from"),
    Column("policy_id", "string", "the policy it was judged under"),
    Column("policy_version", "string", "the version of that policy"),
    Column("modality", "string", "text, or image"),
    Column("text", "string", "the content; of an image its caption, which may be empty"),
    Column("media", "string", "of an image: its file in this export, or where it lies; null: it is not said"),
    Column("language", "string", "BCP-47 tag, und: unknown"),
    Column("label", "label", "the final answer: 0 allowed, 1 violates"),
    Column("rule", "string", "the clause it violates"),
    Column("severity", "int32", "0 (S0) to 4 (S4), of violations"),
    Column("votes", "votes", "how many people gave which answer, before adjudication"),
    Column("soft_label", "float64", "share of violates among the votes that decided between the two labels"),
    Column("how", "string", "how the final answer was reached"),
    Column("verdict", "string", "a lead's: single, several_defensible or contested; null: nobody had to decide"),
    Column("cause", "string", "why the annotators differed, as that lead saw it"),
    Column("tier", "string", "provisional: one person; golden: two or more"),
    Column("partition", "string", "what it may be used for"),
    Column("group_id", "string", "near-duplicate group; never split a group"),
    Column("lane", "string", "the lane that picked it"),
    Column("pi", "float64", "probability of having been picked; null: picked on purpose, no population claim"),
    Column("weight", "float64", "1 / pi where pi is known"),
    Column("content_sha256", "string", "SHA-256 of the text, or of the image's bytes"),
    Column("caption_sha256", "string", "SHA-256 of the caption of an image"),
    Column("adjudication_id", "string", "the decision behind the label"),
    Column("golden_version", "string", "the golden version it was exported from"),
)
IMAGE = Column("image", "image", "the image itself, byte for byte as people judged it; null: a text")
_ARROW = {
    "string": pa.string(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "label": pa.int64(),
    "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    "votes": pa.list_(pa.struct([("answer", pa.string()), ("people", pa.int32())])),
}
SCHEMA = pa.schema([pa.field(column.name, _ARROW[column.kind]) for column in COLUMNS])


def columns_of(*, images: bool) -> tuple[Column, ...]:
    """Those of an export, whose rows may hold ``images``."""
    return (*COLUMNS, IMAGE) if images else COLUMNS


def schema_of(*, images: bool) -> pa.Schema:
    """The Arrow schema of ``columns_of``."""
    return SCHEMA.append(pa.field(IMAGE.name, _ARROW[IMAGE.kind])) if images else SCHEMA


def told(page: pa.RecordBatch, golden_version: str, media: Mapping[str, str] = NOWHERE) -> pa.RecordBatch:
    """Golden rows (``labeling.golden.columns.EXPORTED``) as they are exported; ``media``: where images are to be found,
    by item."""
    found, which = votes_of(page)
    votes = [[{"answer": answer, "people": people} for answer, people in sorted(each.items())] for each in found]
    images = (media.get(item_id) for item_id in page["item_id"].to_pylist()) if media else [None] * len(page)
    caption = page["caption_hash"]
    made = {
        "media": pa.array(images, pa.string()),
        "label": pc.index_in(page["outcome"], value_set=pa.array(LABELS)).cast(_ARROW["label"]),
        "votes": pa.array(votes, _ARROW["votes"]).take(which),
        "soft_label": pa.array([soft_label(each) for each in found], pa.float64()).take(which),
        "weight": pc.divide(1.0, page["pi"]),
        "content_sha256": page["content_hash"],
        "caption_sha256": pc.if_else(pc.equal(caption, ""), None, caption),
        "golden_version": pa.repeat(golden_version, len(page)),
    }
    arrays = [made[name] if name in made else page[name] for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def soft_label(votes: dict[str, int]) -> float | None:
    """The share of ``violates`` among the votes for either label; None when nobody chose one."""
    violates = allowed = 0
    for key, people in votes.items():
        said = key.partition("/")[0]
        violates += people if said == _VIOLATES else 0
        allowed += people if said == _ALLOWED else 0
    return violates / (violates + allowed) if violates + allowed else None


def cells(values: Row) -> list[object]:
    """A row for CSV: votes as JSON, and nothing a spreadsheet would run as a formula."""
    return [_cell(values[column.name]) for column in COLUMNS]


def described(*, votes_as_text: bool, images: bool = False) -> list[dict[str, object]]:
    """The features as a dataset card writes them (CSV has no lists, so there the votes are text)."""
    types: dict[str, Row] = {
        "label": {"dtype": {"class_label": {"names": {str(i): name for i, name in enumerate(LABELS)}}}},
        "votes": {"list": [{"name": "answer", "dtype": "string"}, {"name": "people", "dtype": "int32"}]},
    }
    if votes_as_text:
        types["votes"] = {"dtype": "string"}
    return [{"name": c.name, **types.get(c.kind, {"dtype": c.kind})} for c in columns_of(images=images)]


def _cell(value: object) -> object:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and (value.lstrip().startswith(FORMULA) or value.startswith(("\t", "\r", "\n"))):
        return f"'{value}"
    return value
