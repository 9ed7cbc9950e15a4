"""The int8 encoder over tiny models, and once over the real default; the exporter takes seconds for any of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring import int8_encoder
from scoring.base import Scorer
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.errors import DeviceError, ModelNotFound, ModelRefused
from scoring.int8_encoder import Int8Encoder
from scoring.networks import WindowedNetwork
from scoring.onnx_export import Inputs
from tests.contracts.scorer import IDS, POISON, TEXTS, AnyScorerContract
from tests.scoring.test_embedding_head import head_for
from tests.scoring.tiny import write_model

pytestmark = pytest.mark.slow
F32 = np.float32


class TestInt8Encoder(AnyScorerContract):
    folder: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folder(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.folder = tmp_path_factory.mktemp("int8")
        for seed in (0, 1):
            write_model(cls.folder / str(seed), "bert", seed=seed)

    @classmethod
    def make(cls, name: str = "0") -> Scorer:
        encoder = Int8Encoder(cls.folder / "cache", cls.folder / name)
        return EmbeddingHead(encoder, head_for(encoder))

    @classmethod
    def make_other(cls) -> Scorer:
        return cls.make("1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8")
    write_model(folder / "model", "bert")
    return folder


@pytest.fixture(scope="module")
def made(place: Path) -> Int8Encoder:
    return Int8Encoder(place / "cache", place / "model", batch_tokens=64)


@pytest.fixture(scope="module")
def plain(place: Path) -> SentenceEncoder:
    return SentenceEncoder(place / "model", device="cpu")


def kept(place: Path) -> Path:
    (found,) = (place / "cache").iterdir()
    return found


def test_its_vectors_are_near_the_plain_ones_and_bear_another_version(
    made: Int8Encoder, plain: SentenceEncoder, place: Path
) -> None:
    exact, found = (one.encode(IDS, TEXTS).vectors.astype(F32) for one in (plain, made))
    cosines = (exact * found).sum(axis=1)
    assert 0.9 < cosines.min() < 0.9999
    assert isinstance(made, WindowedNetwork)
    assert (made.name, made.dimension, made.packed) == ("model int8", plain.dimension, False)
    assert made.version != plain.version
    assert kept(place).name == f"onnx-{plain.version}-int8.onnx"
    with pytest.raises(ModelRefused, match="made for encoder"):
        EmbeddingHead(made, head_for(plain))


def test_a_vector_is_the_same_to_the_bit_in_any_batch_and_thread(made: Int8Encoder) -> None:
    whole = made.encode(IDS, TEXTS).vectors
    with ThreadPoolExecutor(4) as threads:
        alone = list(threads.map(lambda i: made.encode([IDS[i]], [TEXTS[i]]).vectors[0], range(len(IDS))))
    np.testing.assert_array_equal(np.stack(alone), whole)


def test_prompt_windows_and_notes_are_those_of_the_plain_encoder(place: Path) -> None:
    options = {"max_tokens": 5, "prompt": "bad dog "}  # room for one token: the example is padded none the less
    ours = Int8Encoder(place / "windows", place / "model", **options)  # type: ignore[arg-type]
    theirs = SentenceEncoder(place / "model", device="cpu", **options)  # type: ignore[arg-type]
    found, expected = ours.encode(IDS, TEXTS), theirs.encode(IDS, TEXTS)
    assert found.notes == expected.notes
    assert found.notes
    assert (found.vectors.astype(F32) * expected.vectors.astype(F32)).sum(axis=1).min() > 0.9


def test_the_graph_is_made_once_and_its_bytes_are_in_the_version(
    made: Int8Encoder, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Int8Encoder(tmp_path, place / "model")
    assert again.version == made.version
    assert b".py" not in kept(place).read_bytes()
    monkeypatch.setattr(int8_encoder, "export", None)
    assert Int8Encoder(place / "cache", place / "model").version == made.version
    graph = next(tmp_path.iterdir())
    graph.write_bytes(graph.read_bytes() + b"\x12\x01x")  # ONNX's producer_name, once more
    assert Int8Encoder(tmp_path, place / "model").version != made.version


def test_a_graph_of_another_model_and_a_damaged_one_are_refused(made: Int8Encoder, place: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "other", "bert", seed=7)
    Int8Encoder(tmp_path / "cache", tmp_path / "other")
    (name,) = (path.name for path in (tmp_path / "cache").iterdir())
    shutil.copy(kept(place), tmp_path / "cache" / name)
    with pytest.raises(ModelRefused, match=r"other in int8 keeps a cosine of 0?.?\d.* only .* delete"):
        Int8Encoder(tmp_path / "cache", tmp_path / "other")
    (tmp_path / "cache" / name).write_bytes(b"no graph")
    with pytest.raises(ModelRefused, match="delete it to have it made anew"):
        Int8Encoder(tmp_path / "cache", tmp_path / "other")


def test_a_gpu_is_refused_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_encoder, "resolve_device", lambda _name: torch.device("cuda", 0))
    with pytest.raises(DeviceError, match="set device to 'cpu', or runtime to 'torch'"):
        Int8Encoder(tmp_path, tmp_path / "nowhere", device="auto")


def test_what_cannot_be_written_is_said(place: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelRefused, match="cannot be written"):
        Int8Encoder(tmp_path / "file", place / "model")


def test_without_the_exporter_a_kept_graph_still_runs(
    made: Int8Encoder, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.onnx_export.find_spec", lambda _name: None)
    assert Int8Encoder(place / "cache", place / "model").version == made.version
    with pytest.raises(ModelNotFound, match=r"goldfold\[int8\]"):
        Int8Encoder(tmp_path, place / "model")


def faulty(made: Int8Encoder, poison: str, error: Exception) -> Callable[[Inputs], torch.Tensor]:
    bad, right = list(made.tokenize([poison])[0]["input_ids"]), made._states

    def states(inputs: Inputs) -> torch.Tensor:
        if inputs["input_ids"][0].tolist() == bad:
            raise error
        return right(inputs)

    return states


@pytest.mark.parametrize(
    ("error", "reason"), [(RuntimeError("injected"), "injected"), (MemoryError("injected"), "not enough memory on cpu")]
)
def test_an_item_that_breaks_the_graph_fails_alone(
    made: Int8Encoder, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    whole = made.encode(IDS, TEXTS).vectors
    monkeypatch.setattr(made, "_states", faulty(made, POISON, error))
    found = made.encode([*IDS[:3], "poison", *IDS[3:]], [*TEXTS[:3], POISON, *TEXTS[3:]])
    assert [(failure.item_id, reason in failure.reason) for failure in found.failures] == [("poison", True)]
    np.testing.assert_array_equal(found.vectors, whole)


def test_the_default_encoder_in_int8_is_near_and_independent_of_the_batch(
    minilm: SentenceEncoder, tmp_path: Path
) -> None:
    ours = Int8Encoder(tmp_path)
    exact, found = (one.encode(IDS, TEXTS).vectors for one in (minilm, ours))
    assert (exact.astype(F32) * found.astype(F32)).sum(axis=1).min() > 0.95
    np.testing.assert_array_equal(np.concatenate([ours.encode([i], [TEXTS[IDS.index(i)]]).vectors for i in IDS]), found)
