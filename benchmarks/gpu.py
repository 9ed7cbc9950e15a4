"""The scoring engine on a GPU beside sentence-transformers: a script for whoever has a GPU at hand.

    python -m benchmarks.gpu            # the table, within 8 minutes
    python -m benchmarks.gpu --cpu      # a small run on the CPU, to see that the script works

Needs torch, transformers, sentence-transformers and this checkout, nothing else: both models are made here with random
weights (the shapes of MiniLM-L6 and RoBERTa-base), texts of 32..256 tokens out of made words. Speed does not depend on
what the weights say. It checks first that the half-precision scores agree with fp32, and stops with exit status 1
when they do not. Rows: texts and tokens a second from strings to scores, against sentence-transformers at its best
batch size in the same precision, beside the matrix rate of the same run (a large square product), and the share of the
time in which the device was busy.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

from scoring.device import inference_dtype
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.head import Head

POLICIES = 8
SHORTEST, LONGEST = 32, 256  # tokens a text
PEER_BATCHES = (32, 64, 128, 256, 512)
STEADY = 2e-3  # how far a probability may move with the batch it is computed in
CLOSE = 1e-2  # how far it may lie from fp32's
REPEATS = 3
TARGETS = {"speed": 3.0, "matrix share (RoBERTa-base shape)": 0.40, "busy": 0.90}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run; the CPU's is only there to see that the script works."""

    texts: int
    checked: int
    matrix: int
    peer_batches: tuple[int, ...]
    models: tuple[str, ...]


GPU = Size(texts=20_000, checked=500, matrix=8192, peer_batches=PEER_BATCHES, models=("minilm", "roberta"))
SMOKE = Size(texts=48, checked=16, matrix=512, peer_batches=(32,), models=("minilm",))


@dataclass(frozen=True, slots=True)
class Result:
    """One model's row. Rates are per second of wall time, medians of ``REPEATS`` runs; ``busy`` is None on a CPU."""

    model: str
    device: str
    precision: str
    texts_s: float
    tokens_s: float
    peer_texts_s: float
    peer_batch: int
    speed: float
    matrix_share: float
    busy: float | None
    moved: float
    furthest: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and, last, the same as JSON. 0 when every score is steady and close to fp32, else 1."""
    asked = _asked(arguments)
    if not asked.cpu and not torch.cuda.is_available():
        print("torch sees no GPU; run with --cpu to try the script itself", file=sys.stderr)
        return 2
    device = torch.device("cpu" if asked.cpu else "cuda")
    size = SMOKE if asked.cpu else GPU
    rate = matrix_rate(device, size.matrix)
    print(
        f"{_name(device)}, torch {torch.__version__}, {inference_dtype(device)} matrix rate {rate / 1e12:.2f} TFLOP/s"
    )
    results = []
    with tempfile.TemporaryDirectory() as place:
        for name in size.models:
            results.append(_measure(name, Path(place) / name, device, size, rate))
            print(_line(results[-1]), flush=True)
    print("targets:", ", ".join(f"{name} >= {value}" for name, value in TARGETS.items()))
    print(json.dumps([asdict(result) for result in results]))
    return 0 if all(r.moved <= STEADY and r.furthest <= CLOSE for r in results) else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Scoring on a GPU, measured.")
    parser.add_argument("--cpu", action="store_true", help="a small run on the CPU, to see that the script works")
    return parser.parse_args(arguments)


def _measure(name: str, folder: Path, device: torch.device, size: Size, rate: float) -> Result:
    rng = np.random.default_rng(0)
    words = made_words(rng)
    model = build(name, folder, words)
    scorer = _scorer(folder, device.type)
    texts, lengths = made_texts(scorer, words, size.texts, rng)
    moved = instability(scorer, texts[: size.checked])
    furthest = disagreement(scorer, folder, device, texts[: size.checked])
    score = _ours(scorer, texts)
    seconds = _median_seconds(score, device)
    peer = SentenceTransformer(str(folder), device=device.type, model_kwargs={"torch_dtype": inference_dtype(device)})
    batch, peer_seconds = _best_peer(peer, texts, size.peer_batches, device)
    flops = forward_flops(model, lengths)
    return Result(
        model=name,
        device=_name(device),
        precision=str(inference_dtype(device)),
        texts_s=len(texts) / seconds,
        tokens_s=sum(lengths) / seconds,
        peer_texts_s=len(texts) / peer_seconds,
        peer_batch=batch,
        speed=peer_seconds / seconds,
        matrix_share=flops / seconds / rate,
        busy=busy_share(score) if device.type == "cuda" else None,
        moved=moved,
        furthest=furthest,
    )


def _ours(scorer: EmbeddingHead, texts: list[str]) -> Callable[[], object]:
    ids = [f"t{i}" for i in range(len(texts))]
    return lambda: scorer.score(ids, texts)


def _best_peer(
    peer: SentenceTransformer, texts: list[str], batches: Sequence[int], device: torch.device
) -> tuple[int, float]:
    timed = {
        size: _median_seconds(lambda size=size: peer.encode(texts, batch_size=size, show_progress_bar=False), device)  # type: ignore[misc]
        for size in batches
    }
    best = min(timed, key=lambda size: timed[size])
    return best, timed[best]


def _median_seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall s of one call; the first warms up and is not counted."""
    taken = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return sorted(taken[1:])[REPEATS // 2]


def instability(scorer: EmbeddingHead, texts: list[str]) -> float:
    """The furthest that a probability moves between one large batch and batches of seven, the other way round."""
    ids = [str(i) for i in range(len(texts))]
    whole = scorer.score(ids, texts).probabilities
    furthest = 0.0
    for start in range(0, len(ids), 7):
        stop = min(start + 7, len(ids))
        part = scorer.score(ids[start:stop][::-1], texts[start:stop][::-1]).probabilities
        furthest = max(furthest, float(np.abs(part[::-1] - whole[start:stop]).max()))
    return furthest


def disagreement(scorer: EmbeddingHead, folder: Path, device: torch.device, texts: list[str]) -> float:
    """The furthest that a probability lies from the one that float32 gives one text at a time."""
    exact = SentenceTransformer(str(folder), device=device.type, model_kwargs={"torch_dtype": torch.float32})
    vectors = exact.encode(texts, batch_size=1, show_progress_bar=False, normalize_embeddings=True)
    expected = scorer.head.probabilities(np.asarray(vectors, np.float32))
    found = scorer.score([str(i) for i in range(len(texts))], texts)
    if found.failures:
        raise RuntimeError(f"{len(found.failures)} texts failed, the first: {found.failures[0].reason}")
    return float(np.abs(found.probabilities - expected).max())


def matrix_rate(device: torch.device, side: int) -> float:
    """FLOP/s of a (side, side) product in the precision the model runs in, the best of several."""
    left, right = (torch.randn(side, side, device=device, dtype=inference_dtype(device)) for _ in range(2))
    best = 0.0
    for _ in range(10):
        started = time.perf_counter()
        for _ in range(5):
            torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 5 * 2 * side**3 / (time.perf_counter() - started))
    return best


def forward_flops(model: PreTrainedModel, lengths: Sequence[int]) -> float:
    """FLOPs of the matrix products of a forward pass over sequences of these lengths (nothing for padding)."""
    config = model.config
    d, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    tokens, squares = float(sum(lengths)), float(sum(length**2 for length in lengths))
    return float(layers * (tokens * (8 * d * d + 4 * d * inner) + 4 * d * squares))


def busy_share(work: Callable[[], object]) -> float:
    """The share of a run's wall time in which at least one kernel ran on the device."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        wall_us = (time.perf_counter() - started) * 1e6
    spans = sorted(
        (event.time_range.start, event.time_range.end) for event in profile.events() if event.device_type.name == "CUDA"
    )
    return covered(spans) / wall_us


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """The length of the union of intervals that come sorted by their start."""
    total, reached = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def made_words(rng: np.random.Generator) -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return sorted({"".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(20_000)})


def made_texts(
    scorer: EmbeddingHead, words: list[str], count: int, rng: np.random.Generator
) -> tuple[list[str], list[int]]:
    """Texts whose lengths in tokens are spread evenly over ``SHORTEST``..``LONGEST``, and those lengths."""
    texts = [" ".join(rng.choice(words, wanted)) for wanted in rng.integers(SHORTEST, LONGEST, count)]
    encoder = scorer.encoder
    if not isinstance(encoder, SentenceEncoder):
        raise TypeError("the texts are measured with the encoder's own tokenizer")
    lengths = [len(row["input_ids"]) for row in encoder.tokenize(texts)]
    return texts, lengths


def build(name: str, folder: Path, words: list[str]) -> PreTrainedModel:
    """A model of the named shape with random weights, saved as safetensors with a tokenizer of its family."""
    if name == "minilm":
        return write_bert(folder, _minilm(), words)
    torch.manual_seed(0)
    return _write(folder, _bytes(words), RobertaModel(_roberta(), add_pooling_layer=False))


def write_bert(folder: Path, config: BertConfig, words: list[str]) -> PreTrainedModel:
    """A BERT of this shape with random weights, and a word-piece tokenizer that knows ``words``."""
    torch.manual_seed(0)
    return _write(folder, _wordpiece(words), BertModel(config, add_pooling_layer=False))


def _write(folder: Path, tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> PreTrainedModel:
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder, safe_serialization=True)
    _as_sentence_transformer(folder, model.config.hidden_size)
    return model


def _minilm() -> BertConfig:
    return BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)


def _roberta() -> RobertaConfig:
    return RobertaConfig(vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1, pad_token_id=1)


def _wordpiece(words: list[str]) -> PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    inner = Tokenizer(models.WordPiece({token: i for i, token in enumerate([*special, *words])}, unk_token="[UNK]"))  # noqa: S106
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        model_max_length=512,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]",  # noqa: S106
    )


def _bytes(words: list[str]) -> PreTrainedTokenizerFast:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=20_000, special_tokens=special, show_progress=False)
    inner.train_from_iterator([" ".join(words)], trainer)
    inner.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        model_max_length=512,
        bos_token="<s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    )


def _as_sentence_transformer(folder: Path, dimension: int) -> None:
    """The files by which both sides know the pooling (mean) and the limit."""
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    pooling = {"word_embedding_dimension": dimension, "pooling_mode_mean_tokens": True}
    for path, content in {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "sentence_bert_config.json": {"max_seq_length": LONGEST, "do_lower_case": False},
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content), encoding="utf-8")


def _scorer(folder: Path, device: str) -> EmbeddingHead:
    encoder = SentenceEncoder(folder, device=device)
    rng = np.random.default_rng(1)
    head = Head(
        policies=tuple(f"policy_{i}" for i in range(POLICIES)),
        weights=rng.standard_normal((POLICIES, encoder.dimension)).astype(np.float32),
        bias=np.zeros(POLICIES, np.float32),
        platt=np.tile(np.array([[1, 0]], np.float32), (POLICIES, 1)),
        sources=("trained",) * POLICIES,
        encoder_version=encoder.version,
    )
    return EmbeddingHead(encoder, head)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _line(result: Result) -> str:
    busy = "" if result.busy is None else f", device busy {result.busy:.0%}"
    return (
        f"{result.model}: {result.texts_s:,.0f} texts/s, {result.tokens_s:,.0f} tokens/s, {result.speed:.2f}x "
        f"sentence-transformers ({result.peer_texts_s:,.0f} texts/s at batch {result.peer_batch}), "
        f"{result.matrix_share:.0%} of the matrix rate{busy}, moves {result.moved:.1e} with its "
        f"batch, {result.furthest:.1e} from fp32"
    )


if __name__ == "__main__":
    sys.exit(main())
