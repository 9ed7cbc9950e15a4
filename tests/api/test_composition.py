from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api import composition, lazy_scorers
from api.composition import Goldfold
from configs.errors import SettingsError
from configs.settings import Settings
from labeling.errors import PolicyError, StoreError, StudioUnauthorized
from labeling.model_records import Model, ModelState
from labeling.scorebook import LakeScorer
from scoring.embedding_head import EmbeddingHead
from scoring.errors import ModelNotFound
from scoring.head import Head
from tests.api.cli.conftest import WordModels
from tests.api.online.test_served import promote
from tests.api.rooms import ROOT
from tests.api.site import WordEncoder, WordGoldfold, prototypes, settings


class SlowModels:
    """Builds the word encoder and its heads, slowly enough for threads to meet, and counts."""

    def __init__(self) -> None:
        self.built: list[str] = []

    def build_encoder(self, _settings: Settings) -> WordEncoder:
        threading.Event().wait(0.05)
        self.built.append("encoder")
        return WordEncoder()

    def build_prototypes(self, _encoder: object, policies: Any) -> Head:
        threading.Event().wait(0.05)
        self.built.append("prototypes")
        return prototypes(policies)

    def build_head_scorer(self, encoder: Any, head: Head) -> EmbeddingHead:
        self.built.append("scorer")
        return EmbeddingHead(encoder, head)


def test_threads_share_what_is_made_late_and_never_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = SlowModels()
    monkeypatch.setattr(lazy_scorers, "models", lambda: models)
    goldfold = Goldfold(settings(tmp_path, studio_token="t"))
    asks = [lambda: goldfold.prototypes, goldfold.scorer, lambda: goldfold.encoder, lambda: goldfold.studio] * 3
    found: list[object] = []
    threads = [threading.Thread(target=lambda ask=ask: found.append(ask()), daemon=True) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == len(asks)
    assert sorted(models.built) == ["encoder", "prototypes", "scorer"]
    assert len({id(one) for one in found}) == 4
    goldfold.close()


def test_a_promoted_head_scores_from_then_on_and_unseen_policies_keep_their_prototypes(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path))
    cold = goldfold.scorer()
    assert goldfold.scorer() is cold
    whole = goldfold.prototypes
    head = _one(whole)
    folder = goldfold.models_dir / "one"
    head.save(folder)
    now = datetime.now(UTC)
    goldfold.ledger.models.add(Model("one", head.version, "1.0.0", str(folder), ModelState.CANDIDATE, {}, now))
    assert goldfold.scorer() is cold
    goldfold.ledger.models.promote("one", "lea", over=None)
    warm = goldfold.scorer()
    assert (warm.version != cold.version, warm.policies) == (True, cold.policies)
    assert goldfold.scorer() is warm
    goldfold.close()
    goldfold.close()


def _one(whole: Head) -> Head:
    """A head that knows only the first policy, the other way round."""
    return Head(
        whole.policies[:1], -whole.weights[:1], whole.bias[:1], whole.platt[:1], ("trained",), whole.encoder_version
    )


def test_a_cascade_is_asked_for_once_until_another_is_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Models:
        def build_cascade(self, full: LakeScorer, given: Settings, _policies: object, folder: Path) -> LakeScorer:
            made.append(f"{given.cascade} before {full.version} in {folder.name}")
            return full

    monkeypatch.setattr(lazy_scorers, "models", Models)
    plain = WordGoldfold(settings(tmp_path))
    full = plain.scorer()
    assert (full.version, made) == (plain.full_scorer().version, [])
    plain.close()
    goldfold = WordGoldfold(settings(tmp_path, cascade="auto"))
    goldfold.scorer()
    goldfold.scorer()
    assert made == [f"auto before {full.version} in models"]
    (goldfold.models_dir / "cascade-1").mkdir(parents=True)
    goldfold.scorer()
    assert len(made) == 2
    goldfold.close()


def test_a_cascade_that_does_not_fit_keeps_nobody_from_settling(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path, cascade=str(tmp_path / "nowhere")))
    with pytest.raises(ModelNotFound):
        goldfold.scorer()
    assert goldfold.groups().group_of("it_1") is None
    goldfold.close()


def test_a_media_scorer_with_the_champions_head_follows_the_champion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def build(modality: str, _named: str, _settings: Settings, _policies: object, own: Any, _reader: object) -> object:
        made.append(f"{modality} {own().version if modality == 'video' else ''}")
        return object()

    monkeypatch.setattr(composition, "import_module", lambda _name: SimpleNamespace(build_items_scorer=build))
    monkeypatch.setattr(lazy_scorers, "models", WordModels)
    goldfold = WordGoldfold(settings(tmp_path, image_scorer="opennsfw", video_scorer="video.yaml"))
    versions = []
    for _ in range(2):
        for modality in ("image", "video"):
            assert goldfold.media_scorer(modality) is goldfold.media_scorer(modality)
        versions.append(goldfold.scorer().version)
        if len(versions) == 1:
            promote(goldfold)
    assert made == ["image ", f"video {versions[0]}", f"video {versions[1]}"]
    goldfold.close()


def test_an_image_scorer_as_the_scorer_of_texts_is_refused_before_a_round_takes_its_id(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path, scorer="opennsfw"))
    with pytest.raises(SettingsError, match="reads images; name a scorer file for texts here"):
        goldfold.judged()
    goldfold.close()


def test_groups_take_the_partitions_of_the_settings(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path, partitions={"train": 1.0}, duplicate_cosine=None))
    assert goldfold.duplicate_cosine == 1.0
    assert goldfold.groups() is not None
    goldfold.close()


def test_without_a_token_there_is_no_label_studio(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path))
    with pytest.raises(StudioUnauthorized, match=r"studio_token is not set: .*GOLDFOLD_STUDIO_TOKEN"):
        goldfold.studio_version()
    goldfold.close()


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"data_dir: .*file/x cannot be made"):
        Goldfold(Settings(data_dir=tmp_path / "file" / "x"))
    with pytest.raises(StoreError):
        Goldfold(Settings(data_dir=tmp_path, lake_uri=str(tmp_path / "file" / "lake")))
    (tmp_path / "policies").mkdir()
    with pytest.raises(PolicyError, match="no policy"):
        Goldfold(Settings(data_dir=tmp_path, policies_dir=tmp_path / "policies"))


def test_torch_waits_until_a_model_is_asked_for() -> None:
    code = "import sys, api.composition, api.server; print('torch' in sys.modules, 'transformers' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


def test_what_is_said_in_a_video_is_read_by_the_champion(tmp_path: Path) -> None:
    file = tmp_path / "spoken.yaml"
    file.write_text("kind: video\nimages: opennsfw\ntranscript: embedding-head\n")
    goldfold = WordGoldfold(settings(tmp_path, video_scorer=str(file), image_scorer="opennsfw"))
    cold, images = goldfold.media_scorer("video"), goldfold.media_scorer("image")
    assert cold is not None
    assert images is not None
    assert goldfold.media_scorer("video") is cold
    promote(goldfold)
    warm, later = goldfold.media_scorer("video"), goldfold.media_scorer("image")
    assert warm is not None
    assert later is not None
    assert warm.version != cold.version
    assert later.version == images.version
    goldfold.close()
