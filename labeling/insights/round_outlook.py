"""What a round will cost and is likely to bring, told from its picks before anybody is asked; and the same picture of
the picks of a round that there is.

What a lane is likely to bring is what the same lane brought in closed rounds (``labeling.yields``), as many times as it
has picks: a forecast of the mean, with the interval of that share. It holds as far as this round is like those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from labeling.quality.evaluation import PURPOSIVE, UNWEIGHTED
from labeling.quality.intervals import Figure
from labeling.quality.lift import Lift
from labeling.yields import ALL, LaneYield, Yields
from selection.estimation import kish_n
from selection.types import CHANCE, Selection

BINS = 12
BROUGHT = ("violating", "changed", "gold")
YIELDS = "/v1/yield"

Drawn = Sequence[tuple[str, float | None]]  # of each pick its lane and pi
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Inclusion probabilities of the picks of the lanes of chance: ``edges`` (b + 1,) grow by one factor, ``counts``
    (b,) are by lane; two equal edges where all are one, nothing where no lane of chance has a pick."""

    edges: tuple[float, ...]
    counts: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Outlook:
    """``lanes``: by lane picks, minutes, exposure, effective n and what it is likely to bring, a figure each or None
    where no closed round had such a lane. ``past_rounds``: how many closed rounds there are; ``origin``: the versions
    of their figures. ``effective_n``: Kish's, over all picks with a known probability together; None where there are
    none. ``why_no_yield``: why no lane has an expectation, "" where they have."""

    picks: int
    items_scored: int
    minutes: float
    exposure: float
    lanes: tuple[Json, ...]
    effective_n: float | None
    histogram: Histogram
    notes: tuple[str, ...]
    why_no_yield: str
    past_rounds: int
    origin: Json


def outlook(selection: Selection, items_scored: int, past: Yields | str, origin: Json) -> Outlook:
    """Of a dry run's ``selection``. ``past``: the yields of closed rounds, or why there are none; ``origin``: the
    versions that the figures carry."""
    drawn = [(pick.lane, pick.pi) for pick in selection.picks]
    estimate = selection.frame["estimate"]
    if not isinstance(estimate, Mapping):
        raise TypeError("a selection of a round has an estimate")
    brought = {} if isinstance(past, str) else {row.lane: row for row in past.lanes if row.policy == ALL}
    lanes = [
        {
            "lane": lane,
            "picks": picks,
            **estimate["lanes"][lane],
            "effective_n": effective_n([each for each in drawn if each[0] == lane]),
            "expected": expected(brought[lane], picks, origin) if lane in brought else None,
        }
        for lane, picks in sorted(Counter(lane for lane, _ in drawn).items())
    ]
    return Outlook(
        picks=len(drawn),
        items_scored=items_scored,
        minutes=float(estimate["minutes"]),
        exposure=float(estimate["exposure"]),
        lanes=tuple(lanes),
        effective_n=effective_n(drawn),
        histogram=histogram(drawn),
        notes=selection.notes,
        why_no_yield=past if isinstance(past, str) else "",
        past_rounds=0 if isinstance(past, str) else len(past.rounds),
        origin=origin,
    )


def expected(row: LaneYield, picks: int, origin: Json) -> Json:
    """By each of ``BROUGHT`` a figure: how many of so many ``picks``, if all of them are settled; and ``saved_labels``,
    how many more the random arm would take to find as many violations, None for that itself and for second looks."""
    licence = UNWEIGHTED if row.lane in CHANCE else PURPOSIVE
    figures: dict[str, Figure] = {name: getattr(row, name) for name in BROUGHT}
    told: Json = {name: _times(figure, picks) | origin | {"licence": licence} for name, figure in figures.items()}
    return told | {
        "saved_labels": None if row.lift is None else _saved(row.lift, picks) | origin | {"licence": licence}
    }


def effective_n(drawn: Drawn) -> float | None:
    """Kish's effective n of the picks that have a probability; None where none has."""
    chances = [pi for lane, pi in drawn if lane in CHANCE and pi is not None]
    return kish_n(chances) if chances else None


def histogram(drawn: Drawn) -> Histogram:
    """Of the lanes of chance; pi spans orders of magnitude, so that the bins grow by one factor."""
    mine: dict[str, list[float]] = {}
    for lane, pi in drawn:
        if lane in CHANCE and pi is not None:
            mine.setdefault(lane, []).append(pi)
    if not mine:
        return Histogram((), {})
    every = [pi for chances in mine.values() for pi in chances]
    low, high = min(every), max(every)
    if low == high:
        return Histogram((low, high), {lane: (len(chances),) for lane, chances in sorted(mine.items())})
    edges = np.geomspace(low, high, BINS + 1)
    edges[0], edges[-1] = low, high  # which rounding moves
    counts = {lane: tuple(np.histogram(chances, edges)[0].tolist()) for lane, chances in sorted(mine.items())}
    return Histogram(tuple(edges.tolist()), counts)


def _saved(lift: Lift, picks: int) -> Json:
    more: Json = {
        "n": lift.n,
        "verdict": lift.verdict,
        "method": f"{lift.method}, times {picks} picks",
        "items": YIELDS,
    }
    return asdict(lift.lift.times(picks, -picks)) | more


def _times(figure: Figure, picks: int) -> Json:
    value = None if figure.value is None else figure.value * picks
    return {
        "value": value,
        "low": figure.low * picks,
        "high": figure.high * picks,
        "n": figure.n,
        "verdict": figure.verdict,
        "method": f"{figure.method}, times {picks} picks",
        "items": YIELDS,
    }
