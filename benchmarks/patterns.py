"""The misapplication miner over 100,000 judged decisions, beside scipy's fisher_exact in a loop over the same cells;
and what it finds among the annotators of two real sets.

The decisions are those of the tests' simulated floor, with a careless person. Memory is the most that Python and NumPy
held at once, traced in a run of its own. HateCheck has ten named annotators and its authors' labels; its functional
test is the cluster, its template the group. ToLD-Br has three annotations a tweet, by nobody in particular; gold is the
harm that two of them name, clusters are FAISS k-means over an SVD of TF-IDF. The real sets' rows say that they are not
there where they are not. No content is printed.
"""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.stats import fisher_exact
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.learning_sets import folder
from benchmarks.row import Row, hardware
from labeling.golden.vectors import unit
from labeling.quality.attribution import attribute
from labeling.quality.clusters import clusters
from labeling.quality.fisher import tails
from labeling.quality.judged import Judged, label
from labeling.quality.patterns import ANY, Found, mine
from tests.labeling.quality.simulate_errors import simulate

MINE, MEMORY, TESTS = "patterns_100k_cpu", "patterns_100k_memory", "patterns_fisher_cpu"
REAL = ("patterns_hatecheck", "patterns_toldbr")
NAMES = (MINE, MEMORY, TESTS, *REAL)
TABLES = 20_000


def rows() -> list[Row]:
    """Three rows of the made floor, one a real set."""
    table = simulate("person", 0, items=50_000).table
    start = time.process_time()
    found = mine(table)
    mine_s = time.process_time() - start
    start = time.process_time()
    for one in found.patterns:
        attribute(table, one, [other for other in found.patterns if other is not one])
    attribute_s = time.process_time() - start
    tracemalloc.start()
    mine(table)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    on = (
        f"{hardware()}; {len(table)} decisions, {found.tests} cells, {len(found.patterns)} patterns; "
        f"attribution of all of them {attribute_s:.1f} CPU s more"
    )
    ours, peer = fisher_seconds()
    loop = peer * found.tests / TABLES  # the tests alone, without counting a cell
    tested = f"{hardware()}; {TABLES} tables"
    return [
        Row(MINE, mine_s, "CPU s", "scipy fisher_exact, the same number of tests", loop, loop / mine_s, "seconds", on),
        Row(MEMORY, peak, "MiB traced", hardware=on),
        Row(TESTS, ours, "CPU s", "scipy fisher_exact in a loop", peer, peer / ours, hardware=tested),
        *(real(name) for name in REAL),
    ]


def fisher_seconds(count: int = TABLES) -> tuple[float, float]:
    """CPU seconds of ``count`` tables by ``tails``, and by scipy one by one."""
    rng = np.random.default_rng(0)
    n, rest = rng.integers(20, 400, count), rng.integers(1000, 20_000, count)
    k, other = rng.binomial(n, 0.06), rng.binomial(rest, 0.05)
    start = time.process_time()
    tails(k, n, other, rest)
    ours = time.process_time() - start
    start = time.process_time()
    for a, b, c, d in zip(k.tolist(), n.tolist(), other.tolist(), rest.tolist(), strict=True):
        fisher_exact(np.array([[a, b - a], [c, d - c]]), alternative="greater")
    return ours, time.process_time() - start


def real(name: str) -> Row:
    """How many patterns a real set has, and the three surest in words."""
    file = {"patterns_hatecheck": "hatecheck.jsonl.gz", "patterns_toldbr": "toldbr.jsonl.gz"}[name]
    path = folder() / file
    if not path.is_file():
        return Row(name, 0.0, "patterns", hardware=f"{file} is not there")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    table = hatecheck(read) if name == "patterns_hatecheck" else toldbr(read)
    found = mine(table)
    told = "; ".join(said(table, one, found.patterns) for one in found.patterns[:3])
    return Row(name, float(len(found.patterns)), "patterns", hardware=f"{len(table)} annotations; {told}")


def hatecheck(read: Sequence[dict[str, object]]) -> Judged:
    """Ten annotators against the authors' labels."""
    columns: dict[str, list[str]] = {key: [] for key in ("item", "group", "gold", "given", "cluster", "person")}
    for row in read:
        annotations = row["annotations"]
        if not isinstance(annotations, dict):
            raise TypeError("annotations: expected an object")
        for person, answer in annotations.items():
            columns["item"].append(str(row["external_id"]))
            columns["group"].append(str(row["template"]))
            columns["gold"].append(_hate(row["label"]))
            columns["given"].append(_hate(answer))
            columns["cluster"].append(str(row["functionality"]))
            columns["person"].append(str(person))
    return Judged.of(columns)


def _hate(answer: object) -> str:
    return label("hate", "allowed") if str(answer).startswith("non") else label("hate", "violates")


def toldbr(read: Sequence[dict[str, object]]) -> Judged:
    """Each annotation against the harm that two of three name; tweets whose majority names several are left out."""
    chosen: list[dict[str, object]] = []
    golds: list[str] = []
    for row in read:
        harms = Counter(harm for one in _annotations(row) for harm in set(one))
        major = sorted(harm for harm, votes in harms.items() if votes >= 2)
        if len(major) <= 1:
            chosen.append(row)
            golds.append(major[0] if major else "")
    texts = [str(row["text"]) for row in chosen]
    sparse = TfidfVectorizer(min_df=5, sublinear_tf=True).fit_transform(texts)
    vectors = TruncatedSVD(64, random_state=0).fit_transform(sparse).astype(np.float32)
    found = clusters(unit(vectors))
    columns: dict[str, list[str]] = {key: [] for key in ("item", "gold", "given", "cluster")}
    for row, gold, code in zip(chosen, golds, found.codes, strict=True):
        for one in _annotations(row):
            columns["item"].append(str(row["external_id"]))
            columns["gold"].append(_harm(gold))
            columns["given"].append(_harm(gold if gold in one else (sorted(one) or [""])[0]))
            columns["cluster"].append(str(chosen[found.medoids[code]]["external_id"]))
    return Judged.of(columns)


def _annotations(row: dict[str, object]) -> list[list[str]]:
    told = row["annotations"]
    if not isinstance(told, list):
        raise TypeError("annotations: expected a list")
    return told


def _harm(harm: str) -> str:
    return label("told", "violates", harm) if harm else label("told", "allowed")


def said(table: Judged, found: Found, all_found: Sequence[Found]) -> str:
    """A pattern by ids and rule names."""
    key = found.key
    gold = table.gold.names[key.gold] if key.gold != ANY else "any"
    given = table.given.names[key.given] if key.given != ANY else "any other"
    where = [table.cluster.names[key.cluster]] if key.cluster != ANY else []
    where += [table.cohorts[key.cohort].names[key.level]] if key.cohort else []
    why = attribute(table, found, [one for one in all_found if one is not found])
    counts = f"{found.events}/{found.n} against {found.other_events}/{found.other_n}"
    figures = f"lift {found.lift:.1f}, p {found.p:.1e}, design effect {found.deff:.2f}"
    place = " x ".join(where) or "everything"
    return f"{gold} -> {given} in {place}: {counts}, {figures}, {why.culprit} {why.level}"
