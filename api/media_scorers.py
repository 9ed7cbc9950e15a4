"""The image and video scorers that scorer files describe. Importing this module imports torch, as ``api.scorers``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from api.scorers import Makings, build, explained
from configs.errors import SettingsError
from configs.scorer_files import check_reads, read_scorer, scorer_path
from configs.scorer_kinds import HFImage, ImageText, OpenNSFWFile, ScorerFile, VideoFramesFile
from configs.settings import Settings
from labeling.media import MediaReader
from labeling.media_scorer import ImageItems, MediaScorer, VideoItems
from labeling.policies import Policies
from labeling.scorebook import LakeScorer
from scoring.base import ImageScorer, VideoScorer
from scoring.frames import Sampling
from scoring.hf_image import HFImageClassifier
from scoring.image_text import ImageTextScorer, Prompts
from scoring.opennsfw import OpenNSFW
from scoring.video import VideoByFrames
from scoring.video_files import VideoLimits


def build_image_scorer(named: str, makings: Makings) -> ImageScorer:
    """The image scorer of a scorer file, by the name of a packaged one or by path. Raises SettingsError,
    ScoringError."""
    file, path = _read(named, makings, "image")
    with explained(str(path)):
        return _image_scorer(file, makings.settings)


def build_video_scorer(named: str, makings: Makings) -> VideoScorer:
    """The video scorer of a scorer file, as ``build_image_scorer``."""
    file, path = _read(named, makings, "video")
    if not isinstance(file, VideoFramesFile):
        raise SettingsError(f"{path}: kind {file.kind} has no builder for videos")
    inside = replace(makings, beside=path.parent)
    with explained(str(path)):
        return VideoByFrames(
            build_image_scorer(file.images, inside),
            transcript=build(file.transcript, inside) if file.transcript else None,
            sampling=Sampling(file.floor_s, file.scene, file.frames, file.side),
            limits=VideoLimits(file_bytes=file.max_bytes, duration_s=file.max_duration_s),
            top=file.top,
        )


def build_items_scorer(
    modality: str,
    named: str,
    settings: Settings,
    policies: Policies,
    own: Callable[[], LakeScorer],
    reader: MediaReader,
) -> MediaScorer:
    """The scorer of the items of a modality, image or video, by scorer file. Raises SettingsError, ScoringError."""
    makings = Makings(settings, policies, own, Path())
    if modality == "image":
        return ImageItems(build_image_scorer(named, makings), reader)
    file, _ = _read(named, makings, "video")
    heard = isinstance(file, VideoFramesFile) and file.transcript is not None
    return VideoItems(build_video_scorer(named, makings), reader, transcripts=heard)


def _image_scorer(file: ScorerFile, settings: Settings) -> ImageScorer:
    if isinstance(file, HFImage):
        return HFImageClassifier(
            file.model, file.labels, revision=file.revision, activation=file.activation, device=settings.device
        )
    if isinstance(file, ImageText):
        prompts = {policy: Prompts(tuple(one.violates), tuple(one.neutral)) for policy, one in file.prompts.items()}
        return ImageTextScorer(file.model, prompts, revision=file.revision, device=settings.device)
    if isinstance(file, OpenNSFWFile):
        return OpenNSFW(file.policy)
    raise SettingsError(f"kind {file.kind} has no builder for images")


def _read(named: str, makings: Makings, reads: str) -> tuple[ScorerFile, Path]:
    path = scorer_path(named, makings.beside)
    file = read_scorer(named, makings.policies, makings.beside)
    check_reads(file, reads, str(path))
    return file, path
