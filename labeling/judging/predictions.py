"""Somebody else's model, known by a file of what it said of our items."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from labeling.errors import InvalidInput
from labeling.golden.judges import ANY
from labeling.items import Problem
from labeling.judging.contender import EXTERNAL, F32, Contender
from labeling.policies import Policies
from labeling.readers import Row, read_rows
from labeling.records import RegisteredItem

KEYS = ("item_id", "external_id")
COLUMNS = (*KEYS, "policy", "probability")
NAMED = 50  # problems that a refusal names
Pair = tuple[str, str]


class Items(Protocol):
    """The part of the ledger that knows items."""

    def known(self, external_ids: Sequence[str]) -> dict[str, RegisteredItem]: ...
    def by_id(self, item_ids: Sequence[str]) -> dict[str, RegisteredItem]: ...


def read_predictions(path: Path, items: Items, policies: Policies) -> Contender:
    """A CSV, JSONL or Parquet file with the columns ``item_id`` or ``external_id``, ``policy`` and ``probability``, one
    pair a row. It decides at the policies' thresholds, and nobody knows what it has learnt. Raises InvalidInput naming
    each bad row by its number (50 at most)."""
    rows: list[Row] = []
    problems: list[str] = []
    for row in read_rows(path):
        if isinstance(row, Problem):
            problems.append(str(row))
        else:
            rows.append(row)
    ids = _item_ids(rows, items)
    found: dict[Pair, float] = {}
    for row in rows:
        reason = _fault(row.values, ids, found, policies)
        if reason:
            problems.append(f"row {row.number}: {reason}")
        else:
            found[_item(row.values, ids), str(row.values["policy"])] = float(str(row.values["probability"]))
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise InvalidInput(f"{path}: {problems[0]}{more}", tuple(problems[:NAMED]))
    return _contender(path, found, policies)


def _item_ids(rows: Sequence[Row], items: Items) -> dict[Pair, str]:
    """(column, value) to the item's id, of items that are there."""
    asked = {key: sorted({str(row.values[key]) for row in rows if key in row.values}) for key in KEYS}
    by_id = {("item_id", item_id): item_id for item_id in items.by_id(asked["item_id"])}
    by_name = items.known(asked["external_id"]).items()
    return by_id | {("external_id", name): item.item_id for name, item in by_name}


def _item(values: Mapping[str, object], ids: Mapping[Pair, str]) -> str:
    key = next(key for key in KEYS if key in values)
    return ids[key, str(values[key])]


def _fault(
    values: Mapping[str, object], ids: Mapping[Pair, str], found: Mapping[Pair, float], policies: Policies
) -> str:
    """Why a row cannot be taken, "" when it can."""
    if odd := sorted(set(values) - set(COLUMNS)):
        return f"{odd[0]}: unknown column (known: {', '.join(COLUMNS)})"
    named = [key for key in KEYS if key in values]
    if len(named) != 1:
        return "item_id or external_id: exactly one of them must name the item"
    if (named[0], str(values[named[0]])) not in ids:
        return f"{named[0]}: {values[named[0]]!r} is no item here; ingest it first, or leave the row out"
    if values.get("policy") not in policies:
        return f"policy: {values.get('policy')!r} is unknown (known: {', '.join(sorted(policies))})"
    if not 0 <= _number(values.get("probability")) <= 1:
        return f"probability: {values.get('probability')!r} is not a number between 0 and 1"
    if (_item(values, ids), str(values["policy"])) in found:
        return "the same item and policy came before; give each pair once"
    return ""


def _number(value: object) -> float:
    """NaN for what is none."""
    try:
        return math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        return math.nan


def _contender(path: Path, found: Mapping[Pair, float], policies: Policies) -> Contender:
    judged = tuple(sorted({policy for _, policy in found}))
    told = [(*pair, probability) for pair, probability in sorted(found.items())]

    def score(ids: Sequence[str]) -> F32:
        rows = [[found.get((item_id, policy), math.nan) for policy in judged] for item_id in ids]
        return np.array(rows, np.float32).reshape(len(ids), len(judged))

    return Contender(
        model_id=path.name,
        version=hashlib.sha256(repr(told).encode()).hexdigest()[:16],
        family=EXTERNAL,
        policies=judged,
        thresholds={policy: policies[policy].threshold for policy in judged},
        calibration_version=None,
        score=score,
        fit=list,
        modality=ANY,
    )
