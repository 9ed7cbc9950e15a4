"""Near-duplicate groups of a lake of made texts and embeddings, from nothing and as 10,000 more items come.

``ITEMS`` items (another number: ``python -m benchmarks.duplicates 100000``; the rows' hardware says how many there
were). Texts of 5 to 25 made words; 10 % are copies: spaced otherwise, in capitals, padded with emoji, with look-alike
letters, with one word changed. Embeddings of 384 dimensions in 3,000 clusters; another 2 % are near-copies of others.
Recall is over the planted pairs; of those with one word changed over the ones that share 70 % of their shingles, which
is what the index promises. Precision is over all joins: how many of them planted pairs explain.

The peer, datasketch, is measured on ``PEER_TEXTS`` of the same texts with as many hashes and the same threshold, when
``DATASKETCH_PYTHON`` names a Python that has it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.process import forget_peak, in_own_process, peak_mib, timed
from benchmarks.row import Row, hardware
from selection.near.bones import letters
from selection.near.forest import Forest, Pairs, Rows
from selection.near.grouping import JACCARD
from selection.near.index import Items, NearDuplicates
from selection.near.shingles import BANDS, DEPTH, GRAM, jaccard
from selection.types import F16

ITEMS, MORE, DIMENSIONS, PEER_TEXTS = 1_000_000, 10_000, 384, 20_000
NAMES = (
    "duplicates_wall",
    "duplicates_cpu",
    "duplicates_peak_memory",
    "duplicates_more_10k_wall",
    "duplicates_more_10k_cpu",
    "duplicates_recall_of_disguised_texts",
    "duplicates_recall_of_changed_texts",
    "duplicates_recall_of_embeddings",
    "duplicates_precision",
    "duplicates_text_rate",
)
_BLOCK = 50_000
_PEER = """
import json, sys, time
from datasketch import MinHash, MinHashLSH
texts, gram, perms, threshold = json.load(sys.stdin)
start = time.process_time()
lsh, found = MinHashLSH(threshold=threshold, num_perm=perms), 0
for number, text in enumerate(texts):
    made = MinHash(num_perm=perms)
    made.update_batch([text[i:i + gram].encode() for i in range(max(1, len(text) - gram + 1))])
    found += len(lsh.query(made))
    lsh.insert(number, made)
print(json.dumps([time.process_time() - start, found]))
"""


@dataclass(slots=True)
class Lake:
    """Items by number; ``disguised``, ``changed`` and ``embedded`` are the planted pairs, by what was done to them."""

    texts: list[str]
    vectors: F16
    disguised: Pairs
    changed: Pairs
    embedded: Pairs


class Reader:
    """``Earlier`` of a lake in memory."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def texts(self, ids: Sequence[str]) -> list[str]:
        return [self._lake.texts[int(item_id)] for item_id in ids]

    def vectors(self, ids: Sequence[str]) -> F16:
        return self._lake.vectors[[int(item_id) for item_id in ids]]


def rows(items: int = ITEMS) -> list[Row]:
    """The figures of one run each; memory is that of the whole process, the items themselves included."""
    where = f"{hardware()}; {items:,} items"
    cpu, wall, peak, more_cpu, more, disguised, changed, embedded, precision = in_own_process(partial(measure, items))
    ours, theirs = in_own_process(measure_peer)
    peer = f"datasketch MinHashLSH, {BANDS * DEPTH} hashes, {PEER_TEXTS:,} texts" if theirs else ""
    return [
        Row("duplicates_wall", wall, "s", target="<= 120 s", hardware=where),
        Row("duplicates_cpu", cpu, "CPU s", hardware=where),
        Row("duplicates_peak_memory", peak, "MiB", target="<= 4096 MiB", hardware=where),
        Row("duplicates_more_10k_wall", more, "s", target="<= 5 s", hardware=where),
        Row("duplicates_more_10k_cpu", more_cpu, "CPU s", hardware=where),
        Row("duplicates_recall_of_disguised_texts", disguised, "share", hardware=where),
        Row("duplicates_recall_of_changed_texts", changed, "share", hardware=where),
        Row("duplicates_recall_of_embeddings", embedded, "share", hardware=where),
        Row("duplicates_precision", precision, "share", hardware=where),
        Row("duplicates_text_rate", ours, "texts/CPU s", peer, theirs or None, ours / theirs if theirs else None),
    ]


def measure(items: int) -> tuple[float, ...]:
    """CPU s, wall s and peak MiB of grouping all, CPU s and wall s of ``MORE`` items on top, recalls and precision."""
    lake = made_lake(items, MORE)
    index, earlier = NearDuplicates(), Reader(lake)
    forget_peak()
    cpu, wall = timed(lambda: index.add(_part(lake, 0, items), earlier))
    peak = peak_mib()
    ids = [str(number) for number in range(items)]
    labels = index.labels(ids)
    recalls = [_recall(labels, pairs) for pairs in (lake.disguised, lake.changed, lake.embedded)]
    precision = _precision(labels, [lake.disguised, lake.changed, lake.embedded])
    more = timed(lambda: index.add(_part(lake, items, items + MORE), earlier))
    return cpu, wall, peak, *more, *recalls, precision


def measure_peer() -> tuple[float, ...]:
    """Texts a CPU s of ours and of the peer (0.0 where there is none), normalised beforehand for both."""
    forms = [letters(text) for text in _texts(np.random.default_rng(1), PEER_TEXTS)]
    ids = [str(number) for number in range(PEER_TEXTS)]
    lake = Lake(forms, np.zeros((0, 1), np.float16), *[_no_pairs()] * 3)
    ours, _ = timed(lambda: NearDuplicates().add(Items(ids, forms), Reader(lake)))
    python = os.environ.get("DATASKETCH_PYTHON")
    if not python:
        return PEER_TEXTS / ours, 0.0
    asked = json.dumps([forms, GRAM, BANDS * DEPTH, JACCARD])
    told = subprocess.run([python, "-c", _PEER], input=asked, capture_output=True, text=True, check=True).stdout
    return PEER_TEXTS / ours, PEER_TEXTS / float(json.loads(told)[0])


def made_lake(items: int, more: int) -> Lake:
    """``items`` and ``more`` after them; of either a tenth are copies of the first ones' texts."""
    rng = np.random.default_rng(0)
    texts = _texts(rng, items + more)
    vectors = _vectors(rng, items + more)
    copies = items // 50
    targets = rng.permutation(items)
    sources, targets = targets[: 6 * copies], targets[6 * copies : 12 * copies]
    for kind, disguise in enumerate((*_DISGUISES, _one_word_changed)):
        for place in range(kind * copies, (kind + 1) * copies):
            texts[targets[place]] = disguise(texts[sources[place]])
    for number in range(items, items + more, 10):
        texts[number] = _DISGUISES[number % 4](texts[number - items])
    last = slice(5 * copies, None)
    trace = 0.008 * rng.standard_normal((copies, DIMENSIONS), dtype=np.float32)
    vectors[targets[last]] = _unit(vectors[sources[last]].astype(np.float32) + trace)
    disguised, changed = slice(0, 4 * copies), slice(4 * copies, 5 * copies)
    alike = _sharing(texts, (sources[changed], targets[changed]))
    return Lake(texts, vectors, (sources[disguised], targets[disguised]), alike, (sources[last], targets[last]))


def _texts(rng: np.random.Generator, count: int) -> list[str]:
    """Words by a Zipf-like law, as in real text."""
    sounds = list("abcdefghijklmnopqrstuvwxyz")
    words = np.array(["".join(rng.choice(sounds, rng.integers(2, 10))) for _ in range(20_000)])
    weights = 1 / np.arange(1, len(words) + 1) ** 0.9
    texts: list[str] = []
    for start in range(0, count, _BLOCK):
        lengths = rng.integers(5, 26, min(_BLOCK, count - start))
        drawn = words[rng.choice(len(words), lengths.sum(), p=weights / weights.sum())]
        texts += [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
    return texts


def _vectors(rng: np.random.Generator, count: int) -> F16:
    centres = rng.standard_normal((3000, DIMENSIONS), dtype=np.float32)
    vectors = np.empty((count, DIMENSIONS), np.float16)
    for start in range(0, count, 5000):
        own = centres[rng.integers(0, 3000, min(5000, count - start))]
        vectors[start : start + 5000] = _unit(own + 0.8 * rng.standard_normal(own.shape, dtype=np.float32))
    return vectors


def _unit(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> F16:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float16)


_LOOKALIKES = str.maketrans("aeopcx", "\u0430\u0435\u043e\u0440\u0441\u0445")
_DISGUISES: tuple[Callable[[str], str], ...] = (
    lambda text: f"  {'   '.join(text.split())}\n",
    str.upper,
    lambda text: f"\U0001f602\ufe0f{text} \U0001f44d\U0001f3fd!!!",
    lambda text: text.translate(_LOOKALIKES),
)


def _one_word_changed(text: str) -> str:
    words = text.split()
    words[len(words) // 2] = "zzqj"
    return " ".join(words)


def _sharing(texts: Sequence[str], pairs: Pairs) -> Pairs:
    """Those pairs whose texts are as close as the index promises to look."""
    forms = [letters(texts[row]) for side in pairs for row in side]
    places = np.arange(len(pairs[0]))
    close = jaccard(forms, (places, places + len(places))) >= JACCARD
    return pairs[0][close], pairs[1][close]


def _part(lake: Lake, start: int, end: int) -> Items:
    return Items([str(number) for number in range(start, end)], lake.texts[start:end], lake.vectors[start:end])


def _recall(labels: Rows, pairs: Pairs) -> float:
    return float(np.mean(labels[pairs[0]] == labels[pairs[1]]))


def _precision(labels: Rows, planted: Sequence[Pairs]) -> float:
    """The joins that planted pairs explain, over all joins."""
    explained = Forest(np.arange(len(labels), dtype=np.int64))
    for left, right in planted:
        found = labels[left] == labels[right]
        explained.join((left[found], right[found]))
    joins = len(labels) - len(np.unique(labels))
    return (len(labels) - len(np.unique(explained.labels()))) / max(1, joins)


def _no_pairs() -> Pairs:
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS):
        print(row)
