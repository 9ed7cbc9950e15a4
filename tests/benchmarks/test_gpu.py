"""The GPU script on a CPU: what it builds, what it counts, and that it says what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu, made_models


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the peer's library warns as it likes
def test_the_small_run_ends_with_rows_that_agree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "SMOKE", gpu.Size(texts=8, checked=8, matrix=64, peer_batches=(8,), models=("minilm",)))
    monkeypatch.setattr(gpu, "REPEATS", 1)
    assert gpu.main(["--cpu"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])[0]
    assert row["texts_s"] > 0
    assert row["moved"] <= 1e-4  # scores come from float16 embeddings, whose last bit may turn
    assert row["furthest"] <= gpu.CLOSE
    assert row["busy"] is None
    assert row["packed"]
    assert 0 <= row["hidden"] <= 1
    assert row["texts"] == 8


def test_disagreement_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    row = gpu.Result(
        model="minilm",
        device="CPU",
        precision="float32",
        texts=1,
        packed=True,
        texts_s=1,
        tokens_s=1,
        padded_texts_s=1,
        peer_texts_s=1,
        peer_batch=1,
        speed=1,
        matrix_share=1,
        busy=None,
        hidden=1,
        moved=3e-3,
        furthest=0,
    )
    monkeypatch.setattr(gpu, "_measure", lambda *_: row)
    monkeypatch.setattr(gpu, "SMOKE", gpu.Size(1, 1, 8, (1,), ("minilm",)))
    assert gpu.main(["--cpu"]) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 2
    assert "--cpu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spans", "length"), [([], 0), ([(0, 2), (1, 3), (5, 6)], 4), ([(0, 10), (2, 3)], 10), ([(1, 2), (2, 4)], 3)]
)
def test_covered_is_the_union(spans: list[tuple[float, float]], length: float) -> None:
    assert gpu.covered(spans) == length


@pytest.mark.parametrize("name", ["minilm", "roberta"])
def test_the_flops_are_those_that_torch_counts(name: str, tmp_path: Path) -> None:
    words = made_models.made_words(np.random.default_rng(0))[:200]
    model = made_models.build(name, tmp_path / name, words)
    model.train(False)
    model.set_attn_implementation("eager")  # the counter does not see into the fused attention of a CPU
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.ones(2, 40, dtype=torch.int64))
    assert gpu.forward_flops(model, [40, 40]) == pytest.approx(counter.get_total_flops(), rel=1e-3)


def test_a_slow_device_or_a_slow_peer_gets_fewer_texts() -> None:
    assert gpu.affordable(1e-4, 1e-4, 1e-4, 1e9) == pytest.approx(gpu.PASS_S / 1e-4, abs=1)
    for padded_s, peer_s in ((1e-3, 1e-3), (2e-3, 1e-3), (1e-3, 9e-3)):
        texts = gpu.affordable(1e-3, padded_s, peer_s, 100.0)
        planned = texts * (gpu.OURS * 1e-3 + gpu.PADDED * padded_s + gpu.PEER * peer_s)
        assert 0.95 * gpu.SLACK * 100 <= planned <= gpu.SLACK * 100
    assert gpu.affordable(1e-3, 1e-3, 1e-3, -5.0) <= 0


BARE = """
import sys
from importlib.machinery import PathFinder

hidden = set(sys.argv[1].split(","))
kept = set(sys.argv[2].split(","))


class Bare(PathFinder):
    @classmethod
    def find_distributions(cls, *asked):
        found = PathFinder.find_distributions(*asked)
        return (one for one in found if one.name.lower().replace("_", "-").replace(".", "-") in kept)

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)


sys.meta_path[:] = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
import benchmarks.gpu

print(sorted(hidden & {name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.slow
def test_it_needs_no_package_but_three_and_what_these_bring() -> None:
    """Every other package of this virtualenv is hidden from the interpreter that imports the script."""
    kept = _closure(["torch", "transformers", "sentence-transformers"])
    hidden = {
        name
        for name, owners in packages_distributions().items()
        if not kept & {canonicalize_name(owner) for owner in owners} and name.isidentifier()
    }
    assert {"lance", "pyarrow", "sqlalchemy", "faiss", "onnxruntime"} <= hidden
    assert not {"torch", "transformers", "sentence_transformers", "numpy"} & hidden
    hidden = hidden - {"benchmarks", "scoring"} | {"api", "configs", "labeling", "selection"}
    told = subprocess.run(
        [sys.executable, "-c", BARE, ",".join(hidden), ",".join(kept)], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert told.stdout.splitlines()[-1] == "[]"


def _closure(names: list[str]) -> set[str]:
    """These distributions and, without extras, all that they require on this machine."""
    found: set[str] = set()
    while names:
        name = canonicalize_name(names.pop())
        if name not in found:
            found.add(name)
            needed = map(Requirement, requires(name) or ())
            names += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def test_the_made_texts_have_the_lengths_they_say() -> None:
    rng = np.random.default_rng(0)
    texts = made_models.made_texts(made_models.made_words(rng)[:200], 40, rng)
    lengths = [len(text.split()) for text in texts]
    assert made_models.SHORTEST <= min(lengths) < max(lengths) < made_models.LONGEST
