"""What the default strategy saves: learning curves on real moderation sets beside random and beside other people's
strategies. ``python -m benchmarks.learning`` prints the whole table.

Frozen embeddings of the default encoder (bfloat16), a logistic head a policy, 50 labels by chance, batches of 50, and
``SEEDS`` splits; near-duplicates never lie on both sides. Everybody has the same splits,
starts and head, and macro-F1 is taken at thresholds matched to the estimated priors. The default and the study's rule
are replayed to 4,000 labels on the tweets, to see when they get there, and random to the whole pool; areas are compared
up to 2,000 (1,000 on the small sets). A finished curve is kept under build/, so only what changed is run again.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.learning_curves import AUTO, curves
from benchmarks.learning_figures import SHARE, Curves, Interval, Share, ahead, areas, mean, over_sets, share
from benchmarks.learning_peers import DEFAULT_RULE, OURS, SERVED
from benchmarks.learning_sets import SOURCES, folder, missing
from benchmarks.row import Row, hardware
from selection.replay import METRICS, RANDOM, Curve

NAMES = (
    "learning_macro_f1_labels",
    "learning_rare_auprc_labels",
    "learning_least_area_above_random",
    "learning_ahead_of_peers",
    "learning_ahead_of_study_default",
)
TARGETS = {"macro_f1": 0.35, "rare_auprc": 0.15}
SEEDS = 5
SLOW_SEEDS, SLOW_SEEDS_OF_TABLE = 0, 1  # of SLOW on the tweets
SLOW = {"scikit_activeml_badge", "modal_ranked_batch"}  # a minute and more a curve
PEERS = (*SERVED, *OURS)
BIG = ("tweets", "tweets_1pct")
LABELS = {name: source.labels for name, source in SOURCES.items()}


def rows() -> list[Row]:
    """The figures; without the sets, rows that say so and hold no figure."""
    absent = missing()
    if absent:
        why = f"not measured: {', '.join(absent)} not in {folder()}; point GOLDFOLD_DATA_DIR at the real sets"
        return [Row(name, math.nan, "not measured", hardware=why) for name in NAMES]
    found = collect(SEEDS, SLOW_SEEDS)
    on = f"{hardware()}; {SEEDS} seeds; {len(SOURCES)} sets"
    return [*(_labels(found, metric, on) for metric in METRICS), _least(found, on), _peers(found, on), _rule(found, on)]


def collect(seeds: int, slow_seeds: int) -> dict[str, list[Curve]]:
    """All curves, by set."""
    found = {}
    for source in SOURCES:
        slow = min(seeds, slow_seeds) if source in BIG else seeds
        names = (RANDOM, AUTO, DEFAULT_RULE, *PEERS)
        found[source] = list(
            curves(source, [(name, seed) for name in names for seed in range(slow if name in SLOW else seeds)])
        )
    return found


def _labels(found: Curves, metric: str, on: str) -> Row:
    shares = {name: share(mine, AUTO, metric) for name, mine in found.items()}
    whole = over_sets(list(shares.values()))
    told = "; ".join(f"{name} {tell(part)}" for name, part in shares.items())
    return Row(
        f"learning_{metric}_labels",
        whole.value,
        "of random's labels",
        target=f"<= {TARGETS[metric]}",
        hardware=f"{on}; labels to {SHARE:.0%} of the whole pool's score; geometric mean of medians, 90 % interval "
        f"{whole.low:.2f} to {whole.high:.2f}; {told}",
    )


def _least(found: Curves, on: str) -> Row:
    above = {
        (name, metric): mean(values)
        for name, mine in found.items()
        for metric, values in areas(mine, AUTO, RANDOM, LABELS[name]).items()
    }
    told = "; ".join(f"{name} {metric} {figure}" for (name, metric), figure in above.items())
    return Row(
        "learning_least_area_above_random",
        min(figure.value for figure in above.values()),
        "score above random's",
        target="no set and metric with its interval below 0",
        hardware=f"{on}; mean difference of the curves with 90 % interval, the value is the least; {told}",
    )


def _peers(found: Curves, on: str) -> Row:
    counts = {name: ahead(found, AUTO, name, LABELS) for name in PEERS}
    counts = {name: count for name, count in counts.items() if count[1]}
    worst = min(counts, key=lambda name: counts[name][0] / counts[name][1])
    told = "; ".join(f"{name} {mine} of {of}" for name, (mine, of) in counts.items())
    absent = [name for name in PEERS if name not in counts]
    more = f"; not there: {', '.join(absent)} (make bench installs them)" if absent else ""
    return Row(
        "learning_ahead_of_peers",
        counts[worst][0] / counts[worst][1],
        "of the cells",
        worst,
        target=">= 0.8, every peer",
        hardware=f"{on}; (set, seed, metric) cells in which the area of the default is larger, the value that of the "
        f"strongest peer; {told}{more}",
    )


def _rule(found: Curves, on: str) -> Row:
    mine, of = ahead(found, AUTO, DEFAULT_RULE, LABELS)
    told = []
    for metric in METRICS:
        values = [areas(mine, AUTO, DEFAULT_RULE, LABELS[name])[metric] for name, mine in found.items()]
        told.append(f"{metric} {mean(np.concatenate(values))}")
    return Row(
        "learning_ahead_of_study_default",
        mine / of,
        "of the cells",
        DEFAULT_RULE,
        target=">= 0.5",
        hardware=f"{on}; {mine} of {of}; area above it: {'; '.join(told)}",
    )


def tell(part: Share) -> str:
    """A share and what is behind it."""
    bounds = [
        f"{part.never} never" if part.never else "",
        f"random {part.random_never} never" * bool(part.random_never),
    ]
    more = ", ".join(text for text in bounds if text)
    value = "-" if math.isnan(part.value) else f"{part.value:.2f}"
    return f"{value} ({more})" if more else value


def table(found: Curves) -> Iterator[str]:
    """Markdown: of every set and strategy the share of random's labels and the area above random, then the cells."""
    yield "| set | strategy | macro-F1: labels | area above random | AUPRC of the rarest: labels | area above random |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, mine in found.items():
        for strategy in dict.fromkeys(curve.strategy for curve in mine if curve.strategy != RANDOM):
            cells = []
            for metric in METRICS:
                figure: Interval = mean(areas(mine, strategy, RANDOM, LABELS[name])[metric])
                cells += [tell(share(mine, strategy, metric)), str(figure)]
            yield f"| {name} | {strategy} | {' | '.join(cells)} |"
    yield ""
    yield "| peer | cells in which auto is ahead | macro-F1 | AUPRC of the rarest |"
    yield "| --- | --- | --- | --- |"
    for peer in (*PEERS, DEFAULT_RULE, RANDOM):
        mine_, of = ahead(found, AUTO, peer, LABELS)
        if of:
            parts = [_cells(found, peer, metric) for metric in METRICS]
            yield f"| {peer} | {mine_} of {of} | {' | '.join(parts)} |"


def _cells(found: Curves, peer: str, metric: str) -> str:
    values = np.concatenate([areas(mine, AUTO, peer, LABELS[name])[metric] for name, mine in found.items()])
    return f"{int((values > 0).sum())} of {len(values)}, {mean(values)}"


if __name__ == "__main__":
    for line in table(collect(SEEDS, SLOW_SEEDS_OF_TABLE)):
        sys.stdout.write(line + "\n")
