"""A whole round over 100,000 scored items: read the lake, pick 500, commit picks and tasks to the ledger.

The lake holds the selection benchmark's pool as kept embeddings and scores. The peer is the selection alone on arrays
that are in memory already: what remains is the price of durable stores.
"""

from __future__ import annotations

import tempfile
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.process import forget_peak, in_own_process, peak_mib, timed
from benchmarks.row import Row, hardware
from benchmarks.selection import BUDGET, made_pool, plan
from labeling.items import item_id_of
from labeling.policies import Policy, Rule
from labeling.records import Item
from labeling.round_plan import RoundRequest
from labeling.rounds import open_round, select_round
from labeling.scorebook import embedding_group, score_group, vectors
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger
from scoring.base import Progress, Scores
from selection.select import select
from selection.types import Pool

PEER = "selection alone, arrays in memory"
NAMES = ("round_100k_cpu", "round_100k_wall", "round_100k_peak_memory")
CHUNK = 10_000


class KeptScores:
    """A scorer whose every score is in the lake already."""

    name, version, embedding_version = "kept", "kept-1", "kept"

    def __init__(self, policies: tuple[str, ...]) -> None:
        self.policies = policies

    def score(self, ids: object, texts: object, progress: Progress | None = None) -> Scores:
        raise NotImplementedError("this benchmark scores nothing")


def rows() -> list[Row]:
    """One round in a process of its own, beside its selection alone in the same process."""
    cpu_s, wall_s, peak, alone_cpu_s, alone_wall_s = in_own_process(measure)
    said = hardware()
    return [
        Row("round_100k_cpu", cpu_s, "CPU s", PEER, alone_cpu_s, alone_cpu_s / cpu_s, "<= 30 CPU s", said),
        Row("round_100k_wall", wall_s, "s", PEER, alone_wall_s, alone_wall_s / wall_s, "<= 60 s", said),
        Row("round_100k_peak_memory", peak, "MiB above start", target="<= 2500 MiB", hardware=said),
    ]


def measure() -> tuple[float, ...]:
    """CPU s, wall s and peak MiB of the round; CPU s and wall s of the selection alone."""
    pool = made_pool()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        _fill(path, pool)
        alone_cpu_s, alone_wall_s = timed(partial(select, pool, plan()))
        policies = pool.policies
        del pool
        forget_peak()
        before = peak_mib()
        cpu_s, wall_s = timed(lambda: _round(path, policies))
        return cpu_s, wall_s, peak_mib() - before, alone_cpu_s, alone_wall_s


def _fill(folder: Path, pool: Pool) -> None:
    lake, ledger = LanceLake(folder / "lake"), open_ledger(f"sqlite:///{folder}/ledger.db")
    scorer = KeptScores(_names(pool.policies))
    items = [_item(external_id, language) for external_id, language in zip(pool.ids, pool.languages, strict=True)]
    for start in range(0, len(items), CHUNK):
        part = slice(start, start + CHUNK)
        ledger.items.register(items[part], lake.append(items[part]))
        ids = [item.item_id for item in items[part]]
        lake.add_columns(embedding_group(scorer), ids, {"embedding": vectors(np.asarray(pool.embeddings[part]))})
        columns = {name: pa.array(pool.probabilities[part, j]) for j, name in enumerate(scorer.policies)}
        lake.add_columns(score_group(scorer), ids, columns)
    ledger.close()


def _round(folder: Path, policies: tuple[str, ...]) -> None:
    lake, ledger = LanceLake(folder / "lake"), open_ledger(f"sqlite:///{folder}/ledger.db")
    known = {name: _policy(name, 1 + j % 4) for j, name in enumerate(_names(policies))}
    request = RoundRequest("bench", BUDGET, 1, {"random": 0.1, "risk": 0.3, "uncertain": 0.6})
    open_round(ledger, lake, known, request)
    done = select_round(ledger, lake, known, KeptScores(tuple(known)), "bench")
    if len(ledger.rounds.picks(done.round_id)) != BUDGET:
        raise ValueError("the round did not pick its budget")
    ledger.close()


def _names(policies: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(policy.replace("-", "_") for policy in policies)


def _policy(name: str, severity: int) -> Policy:
    rule = Rule(id="general", title=name, definition=name)
    return Policy(
        id=name, title=name, version="1.0.0", definition=name, severity=severity, threshold=0.5, rules=(rule,)
    )


def _item(external_id: str, language: str) -> Item:
    letters = sha256(external_id.encode()).hexdigest()
    text = " ".join(letters[start : start + 5] for start in range(0, 60, 5))  # no near-duplicate of any other
    return Item(item_id_of(external_id), external_id, text, "0" * 64, language=language)
