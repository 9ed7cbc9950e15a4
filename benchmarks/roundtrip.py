"""What the whole round trip brings on real votes: AUPRC on tweets that no round ever saw, against labels.

Five rounds to 1,600 labels, the default lanes beside a uniform draw, ``SEEDS`` splits into pool and test. Each round is
settled, published, trained, gated against the champion and scored anew (``benchmarks.roundtrip_trip``); the third arm
promotes every model without asking the gate. ``python -m benchmarks.roundtrip [PNG]`` prints the table, keeps the trips
in build/roundtrip.json, and draws the curve.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from benchmarks.learning_figures import Interval, mean
from benchmarks.learning_sets import SOURCES, folder
from benchmarks.roundtrip_trip import ARMS, BUDGETS, SOURCE, Point, Trip, Tweets, travel
from benchmarks.row import Row, hardware

NAMES = ("roundtrip_auprc", "roundtrip_violating", "roundtrip_passed_gate")
AUTO, RANDOM = "auto", "random"
SEEDS = 5
RESULTS = Path("build/roundtrip.json")
Trips = Mapping[str, Sequence[Trip]]  # by arm


def rows() -> list[Row]:
    """The figures; without the set, rows that say so and hold no figure."""
    file = SOURCES[SOURCE].file
    if not (folder() / file).is_file():
        why = f"not measured: {file} not in {folder()}; point GOLDFOLD_DATA_DIR at the real sets"
        return [Row(name, math.nan, "not measured", hardware=why) for name in NAMES]
    return told(collect())


def told(trips: Trips) -> list[Row]:
    """The rows of finished trips: AUPRC and violating gold after the last round, and verdicts of the gate."""
    on = f"{hardware()}; {len(trips[AUTO])} seeds; {'; '.join(table(trips))}"
    mine, other = ([trip.points[-1].auprc for trip in trips[arm]] for arm in (AUTO, RANDOM))
    found, fewer = ([trip.points[-1].violating for trip in trips[arm]] for arm in (AUTO, RANDOM))
    met = [point.verdict for arm in trips.values() for trip in arm for point in trip.points]
    gated = [verdict for verdict in met if verdict in ("pass", "fail", "underpowered")]
    return [
        _beside(NAMES[0], mine, other, "AUPRC on the held-out test", on),
        _beside(NAMES[1], found, fewer, "violating golden items", on),
        Row(NAMES[2], gated.count("pass") / len(gated) if gated else math.nan, "of the gates held", hardware=on),
    ]


def _beside(name: str, mine: Sequence[float], other: Sequence[float], unit: str, on: str) -> Row:
    value, peer = float(np.mean(mine)), float(np.mean(other))
    return Row(name, value, unit, "uniform random", peer, value / peer if peer else None, "", on)


def collect(seeds: int = SEEDS, budgets: Sequence[int] = BUDGETS) -> dict[str, list[Trip]]:
    """Every arm's trips, one a seed, on one thread."""
    tweets = Tweets()
    with threadpool_limits(1):
        return {arm: [travel(tweets, arm, seed, budgets) for seed in range(seeds)] for arm in ARMS}


def table(trips: Trips) -> Iterator[str]:
    """Markdown, one line a count of labels and arm: AUPRC of the newest model and of the champion with intervals over
    seeds, answers, violating gold, and what became of the models."""
    yield "| labels | arm | answers | violating gold | AUPRC, newest model | AUPRC, champion | AUPRC on dev | models |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for number in range(len(next(iter(trips.values()))[0].points)):
        for arm, mine in trips.items():
            points = [trip.points[number] for trip in mine]
            yield f"| {points[0].labels:,} | {arm} | {' | '.join(_cells(points))} |"
    every = [trip for arm in trips.values() for trip in arm]
    for what, values in (("0", [t.start for t in every]), ("whole pool", [t.full for t in every])):
        yield f"| {what} | all | | | {_interval(_by_seed(every, values))} | | | |"


def _by_seed(every: Sequence[Trip], values: Sequence[float]) -> list[float]:
    """One value a seed: they are the same for every arm."""
    return list({trip.seed: value for trip, value in zip(every, values, strict=True)}.values())


def _cells(points: Sequence[Point]) -> Iterator[str]:
    yield f"{np.mean([point.answers for point in points]):,.0f}"
    yield f"{np.mean([point.violating for point in points]):,.0f}"
    yield _interval([point.auprc for point in points])
    yield _interval([point.champion_auprc for point in points])
    dev = [point.dev for point in points if point.dev is not None]
    yield f"{_interval(dev)} ({len(dev)} of {len(points)})" if dev else "insufficient"
    counts = Counter(point.verdict for point in points)
    yield ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def _interval(values: Sequence[float]) -> str:
    found: Interval = mean(np.array(values, np.float64))
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def draw(trips: Trips, path: Path) -> None:
    """The curves of the newest models as a PNG: means over seeds, with their intervals."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for arm, mine in trips.items():
        labels = [point.labels for point in mine[0].points]
        found = [mean(np.array(values)) for values in zip(*([p.auprc for p in t.points] for t in mine), strict=True)]
        axes.plot(labels, [one.value for one in found], marker="o", label=arm)
        axes.fill_between(labels, [one.low for one in found], [one.high for one in found], alpha=0.2)
    first = next(iter(trips.values()))
    start, full = (float(np.mean([getattr(trip, name) for trip in first])) for name in ("start", "full"))
    for name, value in (("no label", start), ("whole pool", full)):
        axes.axhline(value, color="grey", linewidth=1, linestyle="--")
        axes.annotate(name, (0.99, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="grey")
    axes.set_xscale("log", base=2)
    axes.set_xticks(labels, [f"{count:,}" for count in labels])
    axes.set(xlabel="labels", ylabel="AUPRC on the held-out test", ylim=(0, 1.15 * full))
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def main(arguments: Sequence[str]) -> None:
    trips = collect()
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({arm: [asdict(trip) for trip in mine] for arm, mine in trips.items()}, indent=1))
    for line in table(trips):
        sys.stdout.write(line + "\n")
    for name in arguments:
        draw(trips, Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
