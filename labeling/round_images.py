"""Images in a round: whether they can be asked about, the sheet they share with texts, and the bytes in question.

Texts and images have scorers of their own, which may judge different policies; a pair of item and policy that the
item's scorer does not judge is not in the frame. Their embeddings are no neighbours of each other's, so in a round with
texts only texts have any; in one of images alone the images' own are used.

A task is about bytes, not about the place where they lie: when an image is picked it is read once, and the hash of what
was read goes with the task. Who sees it, and what becomes gold, is held against that hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.errors import BadMedia
from labeling.media_scorer import READERS, MediaScorer
from labeling.round_labels import member_opinions, said
from labeling.scorebook import F32, Judge, LakeScorer, Sheet, read_sheet, rows_of
from labeling.store.interfaces import ItemRegistry, Lake

TEXT, IMAGE, VIDEO = "text", "image", "video"
NOT_SET_UP = "images cannot be asked about here"


@dataclass(frozen=True, slots=True)
class ImageFrame:
    """Under which policies images may be asked about (those that their scorer judges), told without a model; or what is
    ``missing`` for it, as a cure: none are asked about then. ``thresholds``: by policy, what images are held against;
    ``whose``: the model that they were set for, "" where they are the policies' own."""

    policies: frozenset[str] = frozenset()
    missing: str = NOT_SET_UP
    thresholds: Mapping[str, float] = field(default_factory=dict)
    whose: str = ""


@dataclass(frozen=True, slots=True)
class ImageDesk:
    """What a round needs to ask about images: their scorer (None where ``missing`` says what is), and ``read``, which
    gives the bytes of an item's media or raises BadMedia."""

    scorer: MediaScorer | None = None
    read: Callable[[str], bytes] = lambda _media: b""
    missing: str = NOT_SET_UP


@dataclass(frozen=True, slots=True)
class Frame:
    """A round's items: ``sheet`` holds ``texts`` rows of texts and then images. ``judged`` (n, k): which of the sheet's
    policies each item's scorer judges. ``lead``: the scorer whose embeddings the sheet has; ``modality``: what it
    reads."""

    sheet: Sheet
    judged: npt.NDArray[np.bool_]
    texts: int
    lead: Judge
    modality: str
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        return len(self.sheet.ids) - self.texts


def read_frame(
    lake: Lake,
    items: ItemRegistry,
    version: int,
    scorer: LakeScorer,
    images: ImageDesk,
    spool_dir: Path | None = None,
) -> Frame:
    """Texts and images of the lake ``version`` that have a score; the notes say what is left out, and the cure. Texts
    that wait for a score are only counted (``sheet.waiting``). ``spool_dir``: as ``read_sheet`` has it."""
    texts = read_sheet(lake, scorer, items.ids(version, TEXT), spool_dir)
    here, notes = items.ids(version, IMAGE), []
    if videos := len(items.ids(version, VIDEO)):
        notes.append(f"{videos} videos are left out: videos are not shown in Label Studio yet")
    if here and (images.missing or images.scorer is None):
        notes.append(f"{len(here)} images are left out: {images.missing or NOT_SET_UP}")
        here = []
    if not here or images.scorer is None:
        return _of_one(texts, len(texts.ids), scorer, TEXT, notes)
    seen = read_sheet(lake, images.scorer, here, spool_dir)
    if seen.waiting:
        notes.append(
            f"{seen.waiting} images are left out, since {images.scorer.name} has not scored them: run the score job "
            "(goldfold score)"
        )
    if not seen.ids:
        return _of_one(replace(texts, failed=texts.failed + seen.failed), len(texts.ids), scorer, TEXT, notes)
    if not texts.ids:
        return _of_one(
            replace(seen, failed=texts.failed + seen.failed, waiting=texts.waiting), 0, images.scorer, IMAGE, notes
        )
    return _joined(lake, texts, seen, scorer, notes, spool_dir)


def _of_one(sheet: Sheet, texts: int, lead: Judge, modality: str, notes: Sequence[str]) -> Frame:
    return Frame(sheet, np.ones(sheet.probabilities.shape, np.bool_), texts, lead, modality, tuple(notes))


def _joined(
    lake: Lake, texts: Sheet, images: Sheet, scorer: LakeScorer, notes: Sequence[str], spool_dir: Path | None
) -> Frame:
    """Both, under all the policies that either scorer judges."""
    policies = tuple(dict.fromkeys([*texts.policies, *images.policies]))
    ids, both = (*texts.ids, *images.ids), (texts, images)
    judged = [np.tile([policy in each.policies for policy in policies], (len(each.ids), 1)) for each in both]
    told = None
    if texts.disagreement is not None:  # an image has no committee: nobody differs about it
        alone = np.zeros(images.probabilities.shape, np.float32)
        parts = [replace(texts, probabilities=texts.disagreement), replace(images, probabilities=alone)]
        told = np.concatenate([said(each, policies) for each in parts])
    sheet = Sheet(
        ids=ids,
        policies=policies,
        probabilities=np.concatenate([said(each, policies) for each in both]),
        embeddings=rows_of(lake, scorer, ids, spool_dir),
        failed=texts.failed + images.failed,
        waiting=texts.waiting,
        disagreement=told,
    )
    return Frame(sheet, np.concatenate(judged), len(texts.ids), scorer, TEXT, tuple(notes))


def opinions(scorer: LakeScorer, frame: Frame, policies: Sequence[str]) -> F32 | None:
    """As ``member_opinions``; about an image all members say what its own scorer says."""
    sheet, texts = frame.sheet, frame.texts
    own = replace(
        sheet, ids=sheet.ids[:texts], probabilities=sheet.probabilities[:texts], embeddings=sheet.embeddings[:texts]
    )
    told = member_opinions(scorer, own, policies) if texts else None
    if told is None or not frame.images:
        return told
    same = said(sheet, policies)[texts:]
    return np.concatenate([told, np.broadcast_to(same, (len(told), *same.shape))], axis=1)


def hashes(lake: Lake, images: ImageDesk, item_ids: Sequence[str]) -> dict[str, str | BadMedia]:
    """SHA-256 (hex) of the bytes of each item's media now, or why they cannot be read."""
    media = lake.take(item_ids, ["media"])["media"].to_pylist() if item_ids else []
    with ThreadPoolExecutor(READERS, "media") as pool:
        return dict(zip(item_ids, pool.map(partial(_hash, images.read), media), strict=True))


def _hash(read: Callable[[str], bytes], media: str) -> str | BadMedia:
    try:
        return hashlib.sha256(read(media or "")).hexdigest()
    except BadMedia as error:
        return error
