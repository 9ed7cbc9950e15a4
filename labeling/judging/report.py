"""Everything that golden items say of a model: by policy, and by language, market, modality, severity, lane or any
other field of the items; and the lines that are drawn of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.errors import InvalidInput
from labeling.figures import Origin
from labeling.golden.gold_links import GoldAsked
from labeling.judging.contender import Decisions
from labeling.judging.slices import Cell, Read, cells, hidden, severity
from labeling.quality.evaluation import PURPOSIVE, UNWEIGHTED, both_kinds
from labeling.quality.intervals import INSUFFICIENT, Figure, proportion
from labeling.quality.ranking import ranking_figures, series
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import ITEMS, Lake
from labeling.training import label_versions

FIELDS = ("market",)  # of the lake, which are always cut by
MODALITY, SEVERITY = "modality", "severity"
BUILT_IN = ("language", SEVERITY, "lane", MODALITY, *FIELDS)  # what is always cut by
UNREAD = "unread"  # the verdict on rows that whoever is judged does not read
MOST_VALUES = 100  # of a field, the most common ones
NOTHING: Mapping[str, int] = {}
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a report rests on: the rows of this ``partition`` of the version, and the calibration in force."""

    golden_version: str
    partition: Partition
    calibration_version: str | None


def dimensions(lake: Lake, rows: Sequence[GoldenItem], fields: Sequence[str] = ()) -> dict[str, Read]:
    """How rows are cut: by language, severity, lane and modality, and by ``FIELDS`` and ``fields`` of the items. Raises
    InvalidInput for a field that items do not have, or that a value is never repeated in."""
    found: dict[str, Read] = {
        "language": lambda row: row.language,
        SEVERITY: severity,
        "lane": lambda row: row.lane,
        MODALITY: lambda row: row.modality,
    }
    ids = sorted({row.item_id for row in rows})
    known = [name for name in lake.columns(ITEMS) if name not in ("text", "media", "content_hash")]
    there = set(lake.ids()).intersection(ids)
    for name in dict.fromkeys([*FIELDS, *fields]):
        if name not in known:
            raise InvalidInput(f"slice: items have no field {name!r} (they have: {', '.join(sorted(known))})")
        if name in found:
            continue
        held = [item_id for item_id in ids if item_id in there]
        told = lake.take(held, [name])[name].to_pylist() if held else []
        found[name] = _reader(dict(zip(held, told, strict=True)))
    return found


def _reader(told: Mapping[str, object]) -> Read:
    """Empty values are in no cell; of very many the most common ones are."""
    texts = {item_id: str(value) for item_id, value in told.items() if value not in (None, "")}
    common = {value for value, _ in Counter(texts.values()).most_common(MOST_VALUES)}
    return lambda row: texts.get(row.item_id) if texts.get(row.item_id) in common else None


def report(
    decided: Decisions,
    cut_by: Mapping[str, Read],
    thresholds: Mapping[str, float],
    ground: Ground,
    least: int = 0,
    unread: Mapping[str, int] = NOTHING,
) -> Json:
    """``slices``: every cell with its figures; ``series``: by policy, what is drawn; ``unread``: rows by modality of
    which whoever is judged says nothing, which are slices without figures too. With ``least`` (of sealed rows) a
    cell or figure of fewer answers, or one that gives such a one away, says "insufficient", and nothing is drawn."""
    found = cells(decided.rows, cut_by)
    secret = hidden(found, least) if least else set()
    told = [_cell(cell, decided, thresholds[cell.policy], ground, least, is_secret=cell in secret) for cell in found]
    lines: Json = {}
    for cell in found if not least else ():
        if cell.dimension == "all":
            places = list(cell.places)
            drawn = series(decided.probabilities[places], decided.truth[places])
            lines[cell.policy] = _origin(cell, decided, ground).within(drawn)
    return {"slices": [*told, *_unread(decided, unread)], "series": lines, "unread": dict(unread)}


def _unread(decided: Decisions, unread: Mapping[str, int]) -> list[Json]:
    """Over all policies, the rows of each modality of which nothing is said, beside those of the one that is read. A
    model that reads texts says nothing of images, whatever their captions."""
    counts = Counter(row.modality for row in decided.rows)
    told = [(kind, n, "ok") for kind, n in sorted(counts.items())] + [(kind, n, UNREAD) for kind, n in unread.items()]
    about: Json = {"policy": "", "dimension": MODALITY, "threshold": None, "calibration_version": None, "figures": {}}
    return [about | {"value": kind, "n": n, "verdict": verdict} for kind, n, verdict in told] if unread else []


def _cell(cell: Cell, decided: Decisions, threshold: float, ground: Ground, least: int, *, is_secret: bool) -> Json:
    rows = [decided.rows[place] for place in cell.places]
    about: Json = {
        "policy": cell.policy,
        "dimension": cell.dimension,
        "value": cell.value,
        "n": len(rows),
        "threshold": threshold,
        "calibration_version": ground.calibration_version,
    }
    if is_secret:
        return about | {"verdict": INSUFFICIENT, "figures": {}}
    origin = _origin(cell, decided, ground)
    figures = {name: origin.of(_told(one, least)) for name, one in _figures(cell, decided).items()}
    return about | {"verdict": "ok", "figures": figures}


def _origin(cell: Cell, decided: Decisions, ground: Ground) -> Origin:
    rows = [decided.rows[place] for place in cell.places]
    where = ("", "") if cell.dimension == "all" else (cell.dimension, cell.value)
    items = GoldAsked(ground.golden_version, ground.partition, cell.policy, None, None, *where, judging=True)
    return Origin(
        licence=UNWEIGHTED if all(row.pi is not None for row in rows) else PURPOSIVE,
        golden_version=ground.golden_version,
        policy_version=label_versions(rows, cell.policy),
        items=items.link(),
    )


def _told(figure: Figure, least: int) -> Json:
    """Of sealed rows, a figure of few answers says no more than how many they are."""
    if figure.n >= least:
        return figure.as_dict()
    hidden_ = Figure(None, 0.0, 1.0, figure.n, 0, figure.method, INSUFFICIENT).as_dict()
    return hidden_ | {"events": None}


def _figures(cell: Cell, decided: Decisions) -> dict[str, Figure]:
    places = list(cell.places)
    truth, flagged = decided.truth[places], decided.flagged[places]
    groups = [decided.rows[place].group_id for place in places]
    hits, positives, n = int((truth & flagged).sum()), int(truth.sum()), len(truth)
    wrong = int((flagged & ~truth).sum())
    return {
        **ranking_figures(decided.probabilities[places], truth, groups),
        "precision": both_kinds(proportion(hits, int(flagged.sum())), truth),
        "recall": proportion(hits, positives),
        "accuracy": both_kinds(proportion(int(np.equal(truth, flagged).sum()), n), truth),
        "over_enforcement": proportion(wrong, n - positives),
        "under_enforcement": proportion(positives - hits, positives),
    }
