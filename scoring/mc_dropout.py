"""A committee out of one network: the same texts several times, with its dropout layers on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch.nn.modules.dropout import _DropoutNd

from scoring.base import Scorer
from scoring.disagreement import CommitteeScores
from scoring.ensemble import Ensemble


def mc_dropout(scorer: Scorer, ids: Sequence[str], texts: Sequence[str], *, passes: int, seed: int) -> CommitteeScores:
    """Scores whose ``members`` are ``passes`` runs under random dropout (Gal and Ghahramani 2016).

    The network is ``scorer.module`` or ``scorer.encoder.module``. Only its dropout layers are turned on; dropout
    inside a fused attention stays off. The same call gives the same bits; unlike a plain score, a pass depends on the
    batch an item is in. Random state and layers are put back, also after an error. Nobody else may score with the
    same network meanwhile. Raises ValueError for passes below 2, a scorer without torch network, with copies on several
    devices (which copy reads a text is chance) or one whose dropout is 0 everywhere (all passes would agree); else as
    ``Scorer.score``.
    """
    if passes < 2:
        raise ValueError(f"passes must be at least 2 to disagree, not {passes}")
    module = _network(scorer)
    layers = [layer for layer in module.modules() if isinstance(layer, _DropoutNd) and layer.p > 0]
    if not layers:
        raise ValueError(f"{scorer.name} has no dropout layer, so its passes would all agree; use an ensemble")
    with _dropping(layers), torch.random.fork_rng(_gpus(module)):
        torch.manual_seed(seed)
        return Ensemble([scorer] * passes).score(ids, texts)


def _network(scorer: Scorer) -> torch.nn.Module:
    for owner in (scorer, getattr(scorer, "encoder", None)):
        module = getattr(owner, "module", None)
        if len(getattr(owner, "devices", ())) > 1:
            raise ValueError(f"{scorer.name} is on several devices; load it on one, such as cuda:0, to use its dropout")
        if isinstance(module, torch.nn.Module):
            return module
    raise ValueError(f"{scorer.name} has no torch network whose dropout could be turned on; use an ensemble")


def _gpus(module: torch.nn.Module) -> list[int]:
    return sorted({tensor.device.index or 0 for tensor in module.parameters() if tensor.device.type == "cuda"})


@contextmanager
def _dropping(layers: Sequence[torch.nn.Module]) -> Iterator[None]:
    before = [layer.training for layer in layers]
    try:
        for layer in layers:
            layer.train()
        yield
    finally:
        for layer, training in zip(layers, before, strict=True):
            layer.train(training)
