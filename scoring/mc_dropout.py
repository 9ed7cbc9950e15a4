"""A committee out of one network: the same texts several times, each time with other units of it dropped.

A pass is one thinned network (Gal and Ghahramani 2016, "Dropout as a Bayesian approximation"): its masks are drawn
once, over the units of each dropout layer, and hold for every position, text and batch, as in the same authors'
recurrent networks and in BatchBALD's consistent dropout (Kirsch et al. 2019). So a score depends on its text only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Lock

import numpy as np
import torch
from torch.nn.modules.dropout import _DropoutNd

from scoring.base import Progress, Scorer
from scoring.disagreement import CommitteeScores
from scoring.ensemble import Poll, committee_version

MOST_AXES = 3  # (n, t, d) states or (n, d) answers have units; attention weights (n, heads, t, t) have none


class MCDropout:
    """A ``Scorer`` that gives the mean of ``passes`` thinned networks, and the embeddings and notes of the whole one.

    Costs ``passes`` + 1 readings of each text. Dropout of attention weights stays off. An item that fails in a pass
    fails. Several threads may score, one at a time; nobody else may score with the same network meanwhile.
    """

    def __init__(self, scorer: Scorer, *, passes: int = 8, seed: int = 0) -> None:
        """The network is ``scorer``'s, or its encoder's. Raises ValueError for passes below 2, a scorer without torch
        network, or one whose dropout is 0 everywhere (all passes would agree)."""
        if passes < 2:
            raise ValueError(f"passes must be at least 2 to disagree, not {passes}")
        self.scorer = scorer
        self.passes, self.seed = passes, seed
        self.name = f"{scorer.name}, {passes} passes under dropout"
        self.policies = scorer.policies
        self.version = committee_version("mc-dropout", [scorer.version, str(passes), str(seed)])
        self.embedding_version = str(getattr(scorer, "embedding_version", scorer.version))
        self._layers = [_dropout_layers(module, scorer.name) for module in _networks(scorer)]
        self._lock = Lock()

    @property
    def parts(self) -> tuple[Scorer, ...]:
        """The scorers that it is made of."""
        return (self.scorer,)

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> CommitteeScores:
        """As ``Scorer.score``."""
        poll = Poll(dict(zip(ids, texts, strict=False)), self.passes + 1, progress)
        with self._lock:
            poll.hear("", self.scorer.score(ids, texts, poll.listener(0)))
            for place in range(1, self.passes + 1):
                with self._thinned(place):
                    found = self.scorer.score(list(poll.alive), list(poll.alive.values()), poll.listener(place))
                poll.hear(f"pass {place}: ", replace(found, notes=()))
        return poll.result(self.policies, first=1)

    @contextmanager
    def _thinned(self, place: int) -> Iterator[None]:
        """The network of a pass, in every copy."""
        hooks = [
            layer.register_forward_hook(partial(_drop, _Masks(layer.p, (self.seed, place, number))))
            for layers in self._layers
            for number, layer in enumerate(layers)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


class _Masks:
    """A dropout layer's masks in one pass: (d,), 0 for the share ``p`` of units that are dropped, 1 / (1 - p) for the
    others. Told by the key and d alone."""

    def __init__(self, p: float, key: tuple[int, ...]) -> None:
        self._p, self._key = p, key
        self._made: dict[tuple[int, torch.dtype, torch.device], torch.Tensor] = {}

    def like(self, states: torch.Tensor) -> torch.Tensor:
        width = states.shape[-1]
        kind = (width, states.dtype, states.device)
        if kind not in self._made:
            kept = np.random.default_rng([*self._key, width]).random(width) >= self._p
            self._made[kind] = torch.from_numpy(kept / (1 - self._p)).to(states.device, states.dtype)
        return self._made[kind]


def _drop(masks: _Masks, _layer: torch.nn.Module, _inputs: object, states: torch.Tensor) -> torch.Tensor | None:
    return states * masks.like(states) if states.ndim <= MOST_AXES else None


def _networks(scorer: Scorer) -> tuple[torch.nn.Module, ...]:
    for owner in (scorer, getattr(scorer, "encoder", None)):
        modules = tuple(getattr(owner, "modules", ()))
        if modules and all(isinstance(module, torch.nn.Module) for module in modules):
            return modules
    raise ValueError(f"{scorer.name} has no torch network whose dropout could be turned on; use an ensemble")


def _dropout_layers(module: torch.nn.Module, name: str) -> list[_DropoutNd]:
    layers = [layer for layer in module.modules() if isinstance(layer, _DropoutNd) and 0 < layer.p < 1]
    if not layers:
        raise ValueError(f"{name} has no dropout layer, so its passes would all agree; use an ensemble")
    return layers
