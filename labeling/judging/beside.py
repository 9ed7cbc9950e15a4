"""Two contenders side by side on the same golden items of ``dev``: the figures of both in each slice, and the items on
which only one of them is right.

That is a look, not a verdict: many slices are looked at, and the same items again and again. Who is fit to be champion
the gate says, on sealed items (``labeling.judging.gate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labeling.errors import Conflict, NothingToDo
from labeling.golden.enough import refuse_if_none_can
from labeling.golden.judges import judging_rows
from labeling.judging.contender import Contender, Decisions, decide
from labeling.judging.report import Ground, dimensions, report
from labeling.judging.sealed import Json
from labeling.judging.slices import cells
from labeling.quality.compare import holm, mcnemar
from labeling.records import Partition
from labeling.store.interfaces import Golden, Lake


def beside(golden: Golden, lake: Lake, first: Contender, second: Contender, version: str) -> Json:
    """``slices``: each cell of ``labeling.judging.report`` with the figures of ``first`` and ``second``, and how many
    items ``only_first`` and ``only_second`` are right about, with the exact ``p`` that the two differ (McNemar,
    adjusted over all slices by Holm). ``items``: that both may judge and say something about.

    Raises Conflict for contenders of two modalities, NothingToDo where no such item is left, TooLittleGold."""
    if first.modality != second.modality:
        raise Conflict(
            f"{first.model_id!r} reads {first.modality} items and {second.model_id!r} {second.modality} items; "
            "compare models that read the same"
        )
    rows = judging_rows(golden, version, Partition.DEV, first.modality)
    rows = second.fit(first.fit(rows)) if rows else []
    if not rows:
        raise NothingToDo(f"golden version {version} holds no dev item that neither model has learnt; label more first")
    shared = sorted(first.thresholds.keys() & second.thresholds.keys())
    refuse_if_none_can(golden, version, Partition.DEV, rows, shared, "compare on")
    left, right = _shared(decide(first, rows), decide(second, rows))
    cut_by = dimensions(lake, left.rows)
    told: list[Any] = [
        report(decided, cut_by, who.thresholds, Ground(version, Partition.DEV, who.calibration_version))["slices"]
        for who, decided in ((first, left), (second, right))
    ]
    counts = [_counts(left, right, cell.places) for cell in cells(left.rows, cut_by)]
    adjusted = holm([mcnemar(*pair) for pair in counts])
    slices = [_slice(*each) for each in zip(*told, counts, adjusted, strict=True)]
    return {
        "golden_version": version,
        "items": len(left.rows),
        "first": first.about(),
        "second": second.about(),
        "slices": slices,
    }


def _shared(first: Decisions, second: Decisions) -> tuple[Decisions, Decisions]:
    """The decisions about what both say something of, in one order."""
    both = _places(first).keys() & _places(second).keys()
    if not both:
        raise NothingToDo("the two models judge no policy in common that dev items are for")
    return _only(first, both), _only(second, both)


def _places(decided: Decisions) -> dict[tuple[str, str], int]:
    return {(row.item_id, row.policy_id): place for place, row in enumerate(decided.rows)}


def _only(decided: Decisions, pairs: set[tuple[str, str]]) -> Decisions:
    """``decide`` sorts by item and policy, so what is left of two is in one order."""
    places = [place for pair, place in _places(decided).items() if pair in pairs]
    rows = tuple(decided.rows[place] for place in places)
    return Decisions(rows, decided.truth[places], decided.probabilities[places], decided.flagged[places])


def _counts(first: Decisions, second: Decisions, places: Sequence[int]) -> tuple[int, int]:
    """(only the first is right, only the second is)."""
    left, right = first.right[list(places)], second.right[list(places)]
    return int(np.sum(left & ~right)), int(np.sum(right & ~left))


def _slice(first: Json, second: Json, counts: tuple[int, int], p: float) -> Json:
    about = {name: first[name] for name in ("policy", "dimension", "value", "n", "verdict")}
    thresholds = {"thresholds": [first["threshold"], second["threshold"]]}
    figures = {"first": first["figures"], "second": second["figures"]}
    return about | thresholds | figures | {"only_first": counts[0], "only_second": counts[1], "p": p}
