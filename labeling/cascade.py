"""Cascades over the lake: fit one to a random sample, find the one to use, and see whether it still keeps its word.

A cascade is a folder ``cascade-<version>`` beside the models, as ``scoring.cascade_files`` writes it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labeling.errors import Conflict, InvalidInput, NothingToDo
from labeling.golden.text import bones_hash
from labeling.policies import Policies
from labeling.scorebook import (
    F16,
    F32,
    LakeScorer,
    embedding_group,
    embeddings,
    failure_group,
    keep,
    score_group,
    text_ids,
)
from labeling.store.audit_interface import Audit
from labeling.store.interfaces import Lake
from scoring.base import Progress
from scoring.cascade import Cascade
from scoring.cascade_files import CARD, load_cascade, save_cascade, version_of
from scoring.cascade_fit import Fitted, Sample, Wish, fit
from scoring.cascade_report import CascadeReport, Drift, drift
from scoring.distil import EPOCHS
from scoring.vocabulary import Vocabulary, ask, read_vocabulary
from selection.hashing import item_hashes, uniforms

PREFIX = "cascade-"
CHUNK_ITEMS = 2048  # items scored fully between two commits
TIMED_TEXTS = 64
MOST_TRICKLE = 100_000  # trickle items that a drift figure rests on, at most
PART_TEXTS = 8192
MOST_PICKS = 0.05  # in a small lake a round takes more, and nothing could be cleared
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class FitRequest:
    """``sample``: texts drawn at random; those without a full score get one. ``loss``: as ``Wish.loss``; ``picks``:
    how many a round takes for being uncertain; ``dry_run``: only what is scored already, nothing kept."""

    sample: int
    loss: float = 0.005
    picks: int = 60
    seed: int = 0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class FittedCascade:
    """Where the cascade lies (None: a dry run) and what it was seen to lose."""

    version: str
    folder: Path | None
    report: CascadeReport

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        folder = None if self.folder is None else str(self.folder)
        return {"version": self.version, "folder": folder, "report": self.report.as_dict()}


@dataclass(frozen=True, slots=True)
class CascadeStatus:
    """A saved cascade: ``fits`` when it may be used now, else ``reason`` says why not; ``drift`` by the trickle items
    that it has scored in the lake."""

    version: str
    folder: Path
    fits: bool
    reason: str
    report: CascadeReport
    drift: Drift | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "version": self.version,
            "folder": str(self.folder),
            "fits": self.fits,
            "reason": self.reason,
            "report": self.report.as_dict(),
            "drift": None if self.drift is None else self.drift.as_dict(),
        }


def fit_cascade(
    audit: Audit,
    lake: Lake,
    policies: Policies,
    full: LakeScorer,
    models: Path,
    request: FitRequest,
    *,
    actor: str,
    vocabulary: Vocabulary | None = None,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> FittedCascade:
    """Distil a first stage from ``full`` and save it under ``models``. Full scores that were missing are kept, so a
    killed fit goes on where it was. Raises NothingToDo (no item has a full score), InvalidInput naming the field,
    LossTooHigh, ModelNotSaved."""
    everything = text_ids(lake)
    wish = _wish(request, len(everything), epochs)
    drawn = draw(everything, request.sample, request.seed)
    if not request.dry_run:
        score_missing(lake, full, drawn, progress)
    sample = read_sample(lake, policies, full, drawn)
    vocabulary = vocabulary or read_vocabulary()
    fitted = fit(sample, vocabulary if request.dry_run else ask(vocabulary, full), wish)
    version = version_of(fitted)
    if request.dry_run:
        return FittedCascade(version, None, fitted.report)
    folder = models / f"{PREFIX}{version}"
    save_cascade(fitted, folder)
    audit.add(actor, "cascade.fit", version, {"scorer": full.version, **_headline(fitted.report)})
    return FittedCascade(version, folder, fitted.report)


def draw(item_ids: Sequence[str], n: int, seed: int) -> list[str]:
    """``n`` of the items at random, or all where there are fewer; the same for any order of the items."""
    numbers = uniforms(item_hashes(item_ids), seed, "cascade sample")
    order = np.argsort(numbers, kind="stable")[:n]
    return sorted(item_ids[i] for i in order)


def score_missing(lake: Lake, full: LakeScorer, item_ids: Sequence[str], progress: Progress | None = None) -> int:
    """Score fully those items that ``full`` has no outcome for, and keep it, chunk by chunk; how many there were."""
    done = {*lake.ids(score_group(full)), *lake.ids(failure_group(full))}
    waiting = [item_id for item_id in item_ids if item_id not in done]
    for start in range(0, len(waiting), CHUNK_ITEMS):
        chunk = waiting[start : start + CHUNK_ITEMS]
        scores = full.score(chunk, lake.take(chunk, ["text"])["text"].to_pylist())
        keep(lake.add_columns, full, scores, embeddings=True)
        if progress is not None:
            progress(start + len(chunk), len(waiting))
    return len(waiting)


def read_sample(lake: Lake, policies: Policies, full: LakeScorer, item_ids: Sequence[str]) -> Sample:
    """Texts, full scores and embeddings of those items that have a full score. Raises NothingToDo when none has."""
    there = set(lake.ids(score_group(full)))
    ids = [item_id for item_id in item_ids if item_id in there]
    if not ids:
        raise NothingToDo(f"no item of the sample has a score by {full.name} {full.version}: run goldfold score first")
    texts = lake.take(ids, ["text"])["text"].to_pylist()
    return Sample(
        texts,
        [bones_hash(text) for text in texts],
        _probabilities(lake, full, score_group(full), ids),
        full.policies,
        thresholds_of(policies, full.policies),
        full.version,
        embeddings=_embeddings(lake, full, ids),
        full_s=_seconds(full, texts[:TIMED_TEXTS]),
    )


def thresholds_of(policies: Policies, judged: Sequence[str]) -> tuple[float, ...]:
    """The operating thresholds of the policies that a scorer judges, in its order. Raises InvalidInput."""
    unknown = [policy for policy in judged if policy not in policies]
    if unknown:
        raise InvalidInput(f"policies: the scorer judges {', '.join(unknown)}, which no policy file describes")
    return tuple(policies[policy].threshold for policy in judged)


def open_cascade(full: LakeScorer, named: str, models: Path, policies: Policies) -> Cascade | None:
    """The cascade before ``full`` that ``named`` means: a folder, or "auto" for the newest under ``models`` that fits
    (None where none does). Raises ModelNotFound, ModelRefused, and Conflict when it was fitted at other thresholds."""
    if named == AUTO:
        fitting = (fitted for _, fitted in saved_cascades(models) if not _misfit(fitted, full, policies))
        fitted = next(fitting, None)
        return None if fitted is None else Cascade(full, fitted.stage, fitted.clearing)
    fitted = load_cascade(Path(named).expanduser())
    cascade = Cascade(full, fitted.stage, fitted.clearing)  # says first what is wrong with the scorer
    reason = _misfit(fitted, full, policies)
    if reason:
        raise Conflict(f"the cascade {named} {reason}")
    return cascade


def saved_cascades(models: Path) -> list[tuple[Path, Fitted]]:
    """Every cascade under ``models``, newest first. Raises ModelRefused for one that is damaged."""
    cards = sorted(models.glob(f"{PREFIX}*/{CARD}"), key=lambda card: (card.stat().st_mtime_ns, card.parent.name))
    return [(card.parent, load_cascade(card.parent)) for card in reversed(cards)]


def cascade_status(lake: Lake, policies: Policies, full: LakeScorer, models: Path) -> list[CascadeStatus]:
    """Every saved cascade, newest first; drift for those that fit."""
    found = []
    for folder, fitted in saved_cascades(models):
        reason = _misfit(fitted, full, policies)
        seen = None if reason else read_drift(lake, Cascade(full, fitted.stage, fitted.clearing), fitted.report)
        version = folder.name.removeprefix(PREFIX)
        found.append(CascadeStatus(version, folder, not reason, reason, fitted.report, seen))
    return found


def read_drift(lake: Lake, cascade: Cascade, report: CascadeReport) -> Drift:
    """What the trickle says: items that the cascade sent to the full scorer by chance, and that are in the lake."""
    scored = lake.ids(score_group(cascade))
    mine = cascade.clearing.trickles(scored)
    ids = draw([item_id for item_id, drawn in zip(scored, mine, strict=True) if drawn], MOST_TRICKLE, 0)
    positive, would_clear = np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.bool_)
    for start in range(0, len(ids), PART_TEXTS):
        part = ids[start : start + PART_TEXTS]
        rows = slice(start, start + len(part))
        given = _probabilities(lake, cascade, score_group(cascade), part)
        positive[rows] = (given >= np.asarray(cascade.clearing.thresholds)).any(axis=1)
        would_clear[rows] = cascade.would_clear(lake.take(part, ["text"])["text"].to_pylist())
    return drift(report, positive, would_clear)


def _wish(request: FitRequest, items: int, epochs: int) -> Wish:
    if request.sample < 1:
        raise InvalidInput(f"sample: {request.sample} is not a positive number of items")
    share = min(MOST_PICKS, max(1, request.picks) / max(1, items))
    try:
        return Wish(loss=request.loss, picks=share, seed=request.seed, epochs=epochs)
    except ValueError as error:
        raise InvalidInput(str(error)) from error


def _misfit(fitted: Fitted, full: LakeScorer, policies: Policies) -> str:
    """Why a cascade must not be used before ``full`` now; empty when it may."""
    rule = fitted.clearing
    if rule.full_version != full.version:
        return f"was distilled from scorer {rule.full_version}, and {full.version} scores now: fit it anew"
    for policy, tau, now in zip(rule.policies, rule.thresholds, thresholds_of(policies, full.policies), strict=True):
        if tau != now:
            return f"was fitted at a threshold of {tau:g} for {policy}, which is {now:g} now: fit it anew"
    return ""


def _probabilities(lake: Lake, scorer: LakeScorer, group: str, ids: Sequence[str]) -> F32:
    if not ids:
        return np.zeros((0, len(scorer.policies)), np.float32)
    table = lake.take(ids, list(scorer.policies), group)
    return np.column_stack([table[p].to_numpy() for p in scorer.policies]).astype(np.float32, copy=False)


def _embeddings(lake: Lake, full: LakeScorer, ids: Sequence[str]) -> F16 | None:
    """None when one of the items has none."""
    there = set(lake.ids(embedding_group(full)))
    return embeddings(lake, full.embedding_version, ids) if there.issuperset(ids) else None


def _seconds(full: LakeScorer, texts: Sequence[str]) -> float:
    """CPU seconds a text of the full scorer, on this machine as it is now."""
    ids = [str(i) for i in range(len(texts))]
    start = time.process_time()
    full.score(ids, texts)
    return (time.process_time() - start) / len(texts)


def _headline(report: CascadeReport) -> dict[str, object]:
    keys = ("held_out", "positives", "lost", "loss_upper", "loss_allowed", "cleared", "trickle")
    return {key: getattr(report, key) for key in keys}
