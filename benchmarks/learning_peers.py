"""Whom the default is replayed against: other people's libraries, asked with the probabilities of the same head, and
the rule that won the study the default started from.

scikit-activeml and small-text live in ``.venv-peers`` and are asked over a pipe, arrays through files; modAL lives in
ours. They know classes, not policies: where policies do not exclude each other they are given, of each item, the two
answers of the policy that is nearest to 0.5. None is asked twice: small-text's prediction entropy ranks as modAL's
entropy does (in 2 CPU seconds for 10,000 items), scikit-activeml's margin is small-text's breaking ties, and modAL's
two other measures are those of small-text. modAL's ranked batch is ours: a benchmark and a test hold it to its picks.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from modAL.uncertainty import entropy_sampling

from selection.hashing import F64
from selection.modal_measures import ServedProbabilities
from selection.replay import Split
from selection.strategies.base import Candidates, Choose, Chosen, Rows, ranked
from selection.strategies.facility import facility_location
from selection.strategies.ranked_batch import rank
from selection.types import F32
from selection.uncertainty import logit

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SERVER = ROOT / "benchmarks" / "_peer_server.py"
SERVED = (
    "small_text_breaking_ties",
    "small_text_least_confidence",
    "scikit_activeml_falcun",
    "scikit_activeml_badge",
)
OURS = ("modal_entropy_sampling", "modal_ranked_batch")
DEFAULT_RULE = "study_default"
DEFAULT_CHANCE = 0.1  # share of each batch
ALL = (*SERVED, *OURS, DEFAULT_RULE)
NEEDS_EMBEDDINGS = {"scikit_activeml_badge"}
A_PICK = 20  # candidates a pick of the study's rule
AT_DEPLOYED = 22 / 45  # share of its picks at the deployed boundary

Asked = Callable[[F64, F32, Candidates, int, int], Rows]


@dataclass(frozen=True, slots=True)
class Peer:
    """What ``replay`` needs beside a name."""

    choose: Choose
    by_chance: float = 0.0


class Server:
    """Peers in their own Python."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder

    def ask(self, strategy: str, probabilities: F64, embeddings: F32, n: int, seed: int) -> Rows:
        """n row numbers. Raises RuntimeError where the peer died; what it said is on standard error."""
        arrays, answer = self._folder / "arrays.npz", self._folder / "answer.npy"
        np.savez(arrays, allow_pickle=False, probabilities=probabilities, embeddings=embeddings)
        question = {"strategy": strategy, "n": n, "seed": seed, "arrays": str(arrays), "answer": str(answer)}
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the peers' process was started without pipes")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "done\n":
            raise RuntimeError(f"{strategy}: the peers' process ended")
        return np.asarray(np.load(answer, allow_pickle=False), dtype=np.int64)


@contextmanager
def serving() -> Iterator[Server | None]:
    """None where .venv-peers is not there."""
    if not PYTHON.is_file():
        yield None
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [str(PYTHON), str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        yield Server(process, Path(folder))


def peer(name: str, part: Split, server: Server | None) -> Peer | None:
    """None where its library is not there. The study's rule is told which policy the AUPRC is of, which favours it."""
    exclusive = part.data.exclusive
    if name == DEFAULT_RULE:
        return Peer(
            lambda candidates, n, seed: study_default(candidates, n, seed, part.rarest, exclusive), DEFAULT_CHANCE
        )
    if name == "modal_entropy_sampling":
        return Peer(_choose(_modal_entropy, exclusive))
    if name == "modal_ranked_batch":
        return Peer(_choose(_modal_ranked_batch, exclusive))
    if server is None:
        return None

    def served(p: F64, embeddings: F32, _candidates: Candidates, n: int, seed: int) -> Rows:
        used = embeddings if name in NEEDS_EMBEDDINGS else embeddings[:, :0]
        return server.ask(name, p, used, n, seed)

    return Peer(_choose(served, exclusive))


def classes(candidates: Candidates, exclusive: bool) -> tuple[Rows, F64]:
    """The policy (m,) that an item is asked about, and its (m, c) probabilities as a classifier of classes has them."""
    p = candidates.probabilities.astype(np.float64)
    if exclusive:
        return p.argmax(axis=1).astype(np.int64), p / np.maximum(p.sum(axis=1, keepdims=True), 1e-12)
    policies = np.where(candidates.open, np.abs(p - 0.5), np.inf).argmin(axis=1).astype(np.int64)
    mine = p[np.arange(len(p)), policies]
    return policies, np.stack([1.0 - mine, mine], axis=1)


def _choose(ask: Asked, exclusive: bool) -> Choose:
    def choose(candidates: Candidates, n: int, seed: int) -> Chosen:
        policies, p = classes(candidates, exclusive)
        rows = ask(p, candidates.embeddings.astype(np.float32), candidates, n, seed)
        return _chosen(rows, policies)

    return choose


def _chosen(rows: Rows, policies: Rows) -> Chosen:
    return Chosen(rows, policies[rows], np.zeros(len(rows)), ((),) * len(rows))


def _modal_entropy(p: F64, _embeddings: F32, _candidates: Candidates, n: int, _seed: int) -> Rows:
    return np.asarray(entropy_sampling(ServedProbabilities(), p, n_instances=n)[0], dtype=np.int64)


def _modal_ranked_batch(p: F64, embeddings: F32, candidates: Candidates, n: int, _seed: int) -> Rows:
    labelled = None if candidates.labelled is None else candidates.labelled.embeddings
    return rank(embeddings, 1.0 - p.max(axis=1), n, labelled)


def study_default(candidates: Candidates, n: int, seed: int, rarest: int, exclusive: bool) -> Chosen:
    """Facility location over the smallest margins of the deployed decision, and over what is nearest to the boundary
    between the rarest policy and all else, as its head has it; the tenth that goes to chance is the replay's."""
    logits = logit(candidates.probabilities.astype(np.float64))
    above = logits - logit(candidates.thresholds)
    if exclusive:
        best = np.sort(above, axis=1)
        margins: npt.NDArray[np.float64] = best[:, -1] - best[:, -2]
    else:
        margins = np.where(candidates.open, np.abs(above), np.inf).min(axis=1)
    deployed = round(AT_DEPLOYED * n)
    first = _spread(candidates, margins, deployed, np.ones(len(candidates), dtype=bool), seed)
    left = np.ones(len(candidates), dtype=bool)
    left[first] = False
    second = _spread(candidates, np.abs(logits[:, rarest]), n - deployed, left, seed)
    return _chosen(np.concatenate([first, second]), np.full(len(candidates), rarest))


def _spread(candidates: Candidates, distances: F64, n: int, left: npt.NDArray[np.bool_], seed: int) -> Rows:
    rows = np.flatnonzero(left)
    near = rows[ranked(-distances[rows], candidates.ties[rows])[: A_PICK * n]]
    return near[facility_location(candidates.embeddings[near].astype(np.float32), n, seed=seed)]
