"""The files of a model: find them, refuse unsafe ones, name them by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import huggingface_hub
from huggingface_hub.errors import HFValidationError

from scoring.errors import ModelNotFound, ModelRefused

WEIGHTS = "*.safetensors"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5")
SETTINGS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
    "vocab.json",
    "*.txt",
    "*.model",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)
T = TypeVar("T", dict[str, Any], list[Any])
VERSION_LENGTH = 16  # hex digits: 64 bits


def locate(model: str | Path, revision: str | None = None) -> Path:
    """The folder of a local model or of a hub id, fetched if it must be (never when HF_HUB_OFFLINE is set).

    ``revision``: the commit of the hub repository to take (None: its newest).
    Raises ModelNotFound, and ModelRefused when the folder has no safetensors weights.
    """
    text = str(model)
    if Path(text).expanduser().is_dir():
        folder = Path(text).expanduser()
    elif isinstance(model, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise ModelNotFound(f"model folder {text} does not exist")
    else:
        folder = _from_hub(text, revision)
    _refuse_unsafe(folder)
    return folder


def _from_hub(hub_id: str, revision: str | None) -> Path:
    patterns = [WEIGHTS, "*.safetensors.index.json", *SETTINGS]
    try:
        return Path(
            huggingface_hub.snapshot_download(
                hub_id, revision=revision, allow_patterns=patterns, ignore_patterns=["*/*.safetensors"]
            )
        )
    except HFValidationError as error:
        raise ModelNotFound(f"{hub_id!r} is neither a folder nor a hub id") from error
    except OSError as error:  # every answer of the hub, and its absence
        raise ModelNotFound(
            f"model {hub_id!r} is not on this machine and could not be fetched ({type(error).__name__}); "
            f"run `hf download {hub_id}` where the hub can be reached, or give a local folder"
        ) from error


def _refuse_unsafe(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelRefused(f"{folder} has no config.json, so it is not a transformers model")
    if any(folder.glob(WEIGHTS)):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelRefused(
            f"{folder} has its weights in {pickles[0]}, which can run code; save it as safetensors first"
        )
    raise ModelRefused(f"{folder} has no weights (*.safetensors)")


def fingerprint(folder: Path, settings: Mapping[str, object]) -> str:
    """A short SHA-256 over weights, config, tokenizer and ``settings`` (JSON-able), wherever the folder lies."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    names = {path.relative_to(folder).as_posix() for pattern in (WEIGHTS, *SETTINGS) for path in folder.glob(pattern)}
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            digest.update(f"\n{name}:{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()[:VERSION_LENGTH]


def read_json(path: Path, kind: type[T]) -> T:
    """A JSON ``kind`` (dict or list), empty when there is no such file; ModelRefused when it is anything else."""
    if not path.is_file():
        return kind()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelRefused(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, kind):
        raise ModelRefused(f"{path} should hold a JSON {kind.__name__}, not a {type(content).__name__}")
    return content
