"""Distil a first stage from what the full scorer said of texts: its logits, and its embeddings where there are any.

A network and a linear model learn the same by themselves, and the stage answers with the mean of both: they err on
different texts, so the mean errs less than either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, logit
from tokenizers import Tokenizer
from torch import nn

from scoring.first_stage import F32, WINDOW, FirstStage
from scoring.linear_votes import PAIRS, LinearVotes, fit_votes
from scoring.vocabulary import Vocabulary

DIMENSIONS, FILTERS, HIDDEN = 64, 128, 128
EPOCHS, BATCH, RATE = 10, 64, 5e-3
REACH = 6.0  # logits on either side of a threshold within which the full scorer's answer is imitated
URGENCY = 4.0  # how much more a pair near or above its threshold weighs than one far below
TOKEN_DROPOUT = FEATURE_DROPOUT = 0.1
EMBEDDING_WEIGHT = 4.0
POOL = 32  # batches whose texts are sorted by length together
MOST_OPINIONS = 16  # dimensions of a token's vector that say what the full scorer thinks of it
FIRST_VOTE = 0.1  # of an opinion, where a vote starts from


def clipped_logits(probabilities: npt.NDArray[np.floating], thresholds: Sequence[float]) -> npt.NDArray[np.float64]:
    """(n, k) logits, kept within ``REACH`` of their thresholds: what is further off is far, and no more is asked."""
    middle = logit(np.asarray(thresholds, np.float64))
    with np.errstate(divide="ignore"):
        exact = logit(probabilities.astype(np.float64))
    return np.asarray(np.clip(exact, middle - REACH, middle + REACH))


def distil(
    texts: Sequence[str],
    probabilities: npt.NDArray[np.floating],
    policies: Sequence[str],
    thresholds: Sequence[float],
    vocabulary: Vocabulary,
    *,
    embeddings: npt.NDArray[np.floating] | None = None,
    max_tokens: int = 256,
    seed: int = 0,
    epochs: int = EPOCHS,
) -> FirstStage:
    """A stage that imitates ``probabilities`` (n, k) of ``texts``; ``embeddings`` (n, e) are learned beside them,
    which teaches it more than k numbers a text can. About 3 ms of one core a text and ten epochs. The same input gives
    the same stage on the same machine. Raises ValueError when no text can be read, or lengths differ."""
    if not len(texts) == len(probabilities) == (len(texts) if embeddings is None else len(embeddings)):
        raise ValueError("texts, probabilities and embeddings must have the same length")
    blank = _blank(vocabulary, tuple(policies), max_tokens)
    ids = blank.token_ids(texts)
    usable = [i for i, row in enumerate(ids) if 0 < len(row) <= max_tokens]
    if not usable:
        raise ValueError("none of the texts can be read by a first stage")
    logits = clipped_logits(probabilities[usable], thresholds)
    middle, scale = logits.mean(axis=0), logits.std(axis=0) + 1e-3
    targets = (logits - middle) / scale
    weights = 1 + URGENCY * expit(logits - logit(np.asarray(thresholds)) + 1)
    seen, rows = _compact([ids[i] for i in usable])
    task = _Task(
        rows,
        torch.from_numpy(targets.astype(np.float32)),
        torch.from_numpy(weights.astype(np.float32)),
        None if embeddings is None else torch.from_numpy(embeddings[usable].astype(np.float32)),
    )
    start = {name: blank.tensors[name] * (1 if name == "tokens" else FIRST_VOTE) for name in ("tokens", "votes")}
    learned = _learned({name: array[seen] for name, array in start.items()}, task, seed, epochs).tensors(middle, scale)
    network = {**blank.tensors, **learned}
    for name, unseen in (("tokens", start["tokens"]), ("votes", (start["votes"] * scale).astype(np.float32))):
        network[name] = unseen.copy()
        network[name][seen] = learned[name]
    tables = [vocabulary.vectors] if vocabulary.opinions is None else [vocabulary.vectors, vocabulary.opinions]
    votes = fit_votes([ids[i] for i in usable], targets, weights, tables)
    return replace(blank, tensors=_mean(network, votes, middle, scale))


def _compact(ids: list[list[int]]) -> tuple[npt.NDArray[np.int64], list[list[int]]]:
    """The tokens that are there, and the rows with each token's place among them: less to learn, and faster."""
    seen, places = np.unique(np.concatenate([np.asarray(row, np.int64) for row in ids]), return_inverse=True)
    ends = np.cumsum([len(row) for row in ids])[:-1]
    return seen, [row.tolist() for row in np.split(places, ends)]


@dataclass(frozen=True, slots=True)
class _Task:
    ids: list[list[int]]
    targets: torch.Tensor  # (n, k), standardised
    weights: torch.Tensor  # (n, k)
    embeddings: torch.Tensor | None


class _Student(nn.Module):
    """The network of ``FirstStage`` over padded rows, without pairs; the last token is padding. ``embedding`` is for
    training only."""

    def __init__(self, start: Mapping[str, F32], e: int) -> None:
        super().__init__()
        (v, d), k = start["tokens"].shape, start["votes"].shape[1]
        self.pad = v
        self.tokens = nn.Embedding(v + 1, d, padding_idx=v)
        self.votes = nn.Embedding(v + 1, k, padding_idx=v)
        with torch.no_grad():
            self.tokens.weight[:v] = torch.from_numpy(start["tokens"])
            self.votes.weight[:v] = torch.from_numpy(start["votes"])
            self.votes.weight[v:].zero_()
        self.kernel = nn.Conv1d(d, FILTERS, WINDOW, padding=WINDOW // 2)
        self.hidden = nn.Linear(d + 2 * FILTERS, HIDDEN)
        self.output = nn.Linear(HIDDEN, k)
        self.embedding = nn.Linear(d + 2 * FILTERS, e) if e else None

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        real = (ids != self.pad).unsqueeze(-1)
        count = real.sum(1).float()
        if self.training:
            ids = ids.masked_fill(torch.rand(ids.shape) < TOKEN_DROPOUT, self.pad)
        vectors = self.tokens(ids)
        filters = torch.relu(self.kernel(vectors.transpose(1, 2))).transpose(1, 2) * real
        features = torch.cat([vectors.sum(1) / count.sqrt(), filters.amax(1), filters.sum(1) / count], 1)
        features = torch.dropout(features, FEATURE_DROPOUT, self.training)
        answers = self.output(torch.relu(self.hidden(features))) + self.votes(ids).sum(1) / count.sqrt()
        return answers, None if self.embedding is None else nn.functional.normalize(self.embedding(features), dim=1)

    def tensors(self, middle: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> dict[str, F32]:
        """The weights as ``FirstStage`` has them but for ``pairs``, answering in logits."""
        found = {
            "tokens": self.tokens.weight[:-1],
            "votes": self.votes.weight[:-1] * torch.from_numpy(scale),
            "kernel": self.kernel.weight.permute(2, 1, 0),
            "kernel_bias": self.kernel.state_dict()["bias"],
            "hidden": self.hidden.weight.T,
            "hidden_bias": self.hidden.bias,
            "output": self.output.weight.T * torch.from_numpy(scale),
            "output_bias": self.output.bias * torch.from_numpy(scale) + torch.from_numpy(middle),
        }
        return {name: np.ascontiguousarray(t.detach().numpy().astype(np.float32)) for name, t in found.items()}


def _learned(start: Mapping[str, F32], task: _Task, seed: int, epochs: int) -> _Student:
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(1)  # sums split over threads differ by machine
        torch.manual_seed(seed)
        try:
            network = _Student(start, 0 if task.embeddings is None else task.embeddings.shape[1])
            _train(network, task, epochs, np.random.default_rng(seed))
        finally:
            torch.set_num_threads(threads)
    return network


def _mean(
    network: Mapping[str, F32], votes: LinearVotes, middle: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]
) -> dict[str, F32]:
    """The tensors of a stage that answers with the mean of both."""
    halves = {
        "votes": (network["votes"] + votes.tokens * scale) / 2,
        "pairs": votes.pairs * scale / 2,
        "output": network["output"] / 2,
        "output_bias": (network["output_bias"] + votes.bias * scale + middle) / 2,
    }
    return {**network, **{name: array.astype(np.float32) for name, array in halves.items()}}


def _train(network: _Student, task: _Task, epochs: int, rng: np.random.Generator) -> None:
    steps = epochs * -(-len(task.ids) // BATCH)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for batch in _batches(task.ids, rng):
            answers, guessed = network(_padded([task.ids[i] for i in batch], network.pad))
            loss = (task.weights[batch] * (answers - task.targets[batch]) ** 2).mean()
            if guessed is not None and task.embeddings is not None:
                loss = loss + EMBEDDING_WEIGHT * (1 - (guessed * task.embeddings[batch]).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def _batches(ids: list[list[int]], rng: np.random.Generator) -> list[list[int]]:
    """A random pass over the texts, in batches of like length, in random order."""
    order = rng.permutation(len(ids))
    batches: list[list[int]] = []
    for start in range(0, len(order), BATCH * POOL):
        pool = sorted(order[start : start + BATCH * POOL].tolist(), key=lambda i: len(ids[i]))
        batches += [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _padded(rows: list[list[int]], pad: int) -> torch.Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])


def _blank(vocabulary: Vocabulary, policies: tuple[str, ...], max_tokens: int) -> FirstStage:
    """A stage that knows the words, and nothing else yet."""
    v, k = len(vocabulary.vectors), len(policies)
    shapes = {"votes": (v, k), "pairs": (PAIRS, k), "kernel": (WINDOW, DIMENSIONS, FILTERS), "kernel_bias": (FILTERS,)}
    shapes |= {"hidden": (DIMENSIONS + 2 * FILTERS, HIDDEN), "hidden_bias": (HIDDEN,)}
    shapes |= {"output": (HIDDEN, k), "output_bias": (k,)}
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    said = 0 if vocabulary.opinions is None else min(k, MOST_OPINIONS)
    tokens = _folded(vocabulary.vectors, DIMENSIONS - said)
    if vocabulary.opinions is not None:
        tokens = np.concatenate([tokens, _folded(vocabulary.opinions, said)], axis=1)
        tensors["votes"] = vocabulary.opinions
    tokenizer = Tokenizer.from_str(vocabulary.tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return FirstStage(policies, tokenizer.to_str(), {"tokens": tokens, **tensors}, max_tokens)


def _folded(vectors: F32, dimensions: int) -> F32:
    """The table's main directions, with a spread of 1/2."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    folded = centred @ directions[:, ::-1][:, :dimensions]
    if folded.shape[1] < dimensions:
        folded = np.pad(folded, ((0, 0), (0, dimensions - folded.shape[1])))
    return np.asarray(folded / (2 * folded.std() + 1e-12), np.float32)
