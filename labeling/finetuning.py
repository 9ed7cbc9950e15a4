"""From a golden version to a fine-tuned classifier, registered as a candidate as a head is.

Its files stand under ``models/``; what only resuming needs stands in a work folder and goes when the model is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from labeling.artefacts import FINETUNED, artefact_hash, kind_of, load_artefact
from labeling.errors import Conflict, InvalidInput, NothingToDo
from labeling.golden.enough import refuse_if_none_can, shortfalls
from labeling.golden.export import evaluation_rows, training_rows
from labeling.golden.features import soft_label
from labeling.golden.judges import judging_rows
from labeling.golden.leaks import refuse_leaks
from labeling.golden.stale import standing
from labeling.golden.text import TEXT
from labeling.golden.vectors import LakeVectors
from labeling.model_card import Facts, model_card
from labeling.model_records import Model, ModelState
from labeling.pictures import LakePictures
from labeling.policies import Policies
from labeling.quality.evaluation import Evaluation, evaluate
from labeling.records import GoldenItem, Outcome, Partition, Verdict
from labeling.store.interfaces import Lake
from labeling.training import F32, Stores, Trained, check_model_id, label_matrix, label_versions, others
from scoring.base import Scorer
from scoring.finetune import Finetuning, finetune
from scoring.finetune_flow import Until, Watch
from scoring.finetune_settings import MIN_PER_CLASS, FinetuneSettings, Lessons, counts, trainable
from scoring.finetuned import README, Finetuned, move, seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for. ``base``: the folder that is fine-tuned, ``base_name`` what the card calls it; ``soft``:
    learn the share of people who chose each answer in place of the final one."""

    model_id: str
    golden_version: str
    base: Path
    base_name: str
    settings: FinetuneSettings
    soft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where it is done. ``models``: the folder of all models, ``work``: of this run; ``encoder_version``: the encoder
    whose embeddings tell near-duplicates; ``read``: opens the classifier in a folder."""

    models: Path
    work: Path
    encoder_version: str
    duplicate_cosine: float
    read: Callable[[Finetuned], Scorer]


@dataclass(frozen=True, slots=True)
class Tuned:
    """How far it is; ``trained``: the candidate, once it is registered."""

    step: int
    steps: int
    trained: Trained | None = None


def finetune_model(
    stores: Stores,
    lake: Lake,
    policies: Policies,
    order: Order,
    place: Workplace,
    *,
    watch: Watch | None = None,
    until: Until | None = None,
) -> Tuned:
    """Fine-tune on the train partition, stopping by dev, and register the model as a candidate. Ends early where
    ``until`` says so; called again, also after a kill at any moment, it goes on; once it is registered nothing is done.

    Raises NotFound (version), NothingToDo (no usable train label), TooLittleGold (dev is there and cannot say when to
    stop), Conflict (id taken), LeakError (a training row gives away an evaluation item), InvalidInput (an id that is no
    file name, settings), ScoringError."""
    check_model_id(order.model_id)
    everything = stores.golden.members(order.golden_version)
    usable = training_rows(standing(everything, stores.golden.items()), None)
    rows = [row for row in usable if row.modality == TEXT]
    vectors = LakeVectors(lake, f"embeddings-{place.encoder_version}")
    refuse_leaks(
        rows, evaluation_rows(everything, stores.golden.items()), vectors, place.duplicate_cosine, LakePictures(lake)
    )
    names = list(policies)
    lessons = lessons_of(rows, names, soft=order.soft)
    if not np.isfinite(lessons.labels).any():
        raise NothingToDo(
            f"golden version {order.golden_version} holds no usable label in its train partition{others(usable, TEXT)}"
        )
    done = _registered(stores, order)
    if done is not None:
        shutil.rmtree(place.work / "checkpoints", ignore_errors=True)
        return Tuned(1, 1, Trained(done, _report(names, lessons.labels)))
    judging = _usable(judging_rows(stores.golden, order.golden_version, Partition.DEV))
    dev = lessons_of(_stoppers(stores, order, judging, names, lessons.labels), names, soft=False)
    try:
        found = finetune(order.base, names, lessons, dev, order.settings, place.work, watch, until)
    except ValueError as error:
        raise InvalidInput(f"the fine-tuning cannot be done as asked: {error}") from error
    if not found.finished:
        return Tuned(found.step, found.steps)
    model = _register(stores, order, place, found, policies, rows, judging)
    return Tuned(found.step, found.steps, Trained(model, _report(names, lessons.labels)))


def lessons_of(rows: Sequence[GoldenItem], policies: Sequence[str], *, soft: bool) -> Lessons:
    """Texts by item, and a target for each policy under which the item was judged; NaN for all others.

    ``soft``: the share of people who said it violates, unless a lead found that only one answer is right.
    """
    ids, labels = label_matrix(rows, policies)
    places = {item_id: i for i, item_id in enumerate(ids)}
    targets: F32 = labels.copy()
    texts = [""] * len(ids)
    for row in rows:
        texts[places[row.item_id]] = row.text
        share = soft_label(row.votes) if soft and row.verdict is not Verdict.SINGLE else None
        if share is not None and row.policy_id in policies and row.outcome is not Outcome.CONTEXT_MISSING:
            targets[places[row.item_id], policies.index(row.policy_id)] = share
    taught = np.flatnonzero(np.isfinite(labels).any(axis=1))
    return Lessons(tuple(texts[i] for i in taught), targets[taught], labels[taught])


def _registered(stores: Stores, order: Order) -> Model | None:
    there = {model.model_id: model for model in stores.models.all()}.get(order.model_id)
    if there is None:
        return None
    if kind_of(there) != FINETUNED or there.golden_version != order.golden_version:
        raise Conflict(f"model {order.model_id!r} is there already and another one; use another id")
    load_artefact(there)
    return there


def _register(
    stores: Stores,
    order: Order,
    place: Workplace,
    found: Finetuning,
    policies: Policies,
    rows: Sequence[GoldenItem],
    judging: Sequence[GoldenItem],
) -> Model:
    """The card, the seal, the move, the ledger; then what resuming needed goes."""
    draft = Finetuned(found.folder, found.policies, place.encoder_version, found.settings.max_tokens or 0, "")
    figures = _evaluation(place.read(draft), judging, found.policies, policies, order.golden_version)
    published = stores.golden.version(order.golden_version)
    card = model_card(Facts(published, order.base, order.base_name, order.soft, found, rows, judging, figures))
    (found.folder / README).write_text(card, encoding="utf-8")
    version = seal(found.folder, draft.policies, draft.encoder_version, draft.max_tokens)
    folder = place.models / order.model_id
    move(found.folder, folder)
    stores.models.add(
        Model(
            model_id=order.model_id,
            version=version,
            golden_version=order.golden_version,
            path=str(folder),
            state=ModelState.CANDIDATE,
            metrics={},
            created_at=datetime.now(UTC),
            artefact=artefact_hash(folder),
            family=f"fine-tuned {order.base_name}",
        )
    )
    for name in ("checkpoints", "model"):
        shutil.rmtree(place.work / name, ignore_errors=True)
    return stores.models.get(order.model_id)


def _evaluation(
    scorer: Scorer, rows: Sequence[GoldenItem], names: Sequence[str], policies: Policies, golden_version: str
) -> Evaluation | None:
    """The figures on dev of what can be read there; None without any row."""
    ids, labels = label_matrix(rows, names)
    by_id = {row.item_id: row for row in rows}
    if not ids:
        return None
    scores = scorer.score(ids, [by_id[item_id].text for item_id in ids])
    kept = [ids.index(item_id) for item_id in scores.ids]
    return evaluate(
        scores.probabilities,
        labels[kept],
        names,
        thresholds={name: policies[name].threshold for name in names},
        policy_versions={name: label_versions(rows, name) or policies[name].version for name in names},
        golden_version=golden_version,
        groups=[by_id[item_id].group_id for item_id in scores.ids],
        pi=[row.pi for row in rows],
    )


def _stoppers(
    stores: Stores, order: Order, rows: Sequence[GoldenItem], names: Sequence[str], labels: F32
) -> list[GoldenItem]:
    """The dev rows that may say when to stop: of policies that are learnt, and of which dev has enough labels, and of
    both kinds. None where the version has no dev partition: then nothing stops early. Raises TooLittleGold where it has
    one, of which what is left cannot say it for any policy."""
    learnt = [names[place] for place in trainable(names, labels, MIN_PER_CLASS)[0]]
    version, frozen = order.golden_version, stores.golden.members(order.golden_version)
    if any(row.partition is Partition.DEV and row.policy_id in learnt for row in frozen):
        refuse_if_none_can(stores.golden, version, Partition.DEV, rows, learnt, "say when to stop")
    able = set(learnt) - shortfalls(rows, learnt).keys()
    return [row for row in rows if row.policy_id in able]


def _usable(rows: Sequence[GoldenItem]) -> list[GoldenItem]:
    return [row for row in rows if row.outcome is not Outcome.CONTEXT_MISSING]


def _report(names: Sequence[str], labels: F32) -> dict[str, object]:
    """What became of each policy, as ``train`` tells it."""
    kept, notes = trainable(names, labels, MIN_PER_CLASS)
    return {
        name: {
            "trained": j in kept,
            "source": "finetuned" if j in kept else "beside",
            "positives": positives,
            "negatives": negatives,
            "note": notes.get(name, ""),
        }
        for j, (name, (positives, negatives)) in enumerate(zip(names, counts(labels), strict=True))
    }
