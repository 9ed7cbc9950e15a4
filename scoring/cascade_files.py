"""A fitted cascade on disk: one folder with weights as safetensors, tokenizer and card as JSON; never overwritten."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from scoring.cascade_fit import Fitted
from scoring.cascade_report import CascadeReport
from scoring.clearing import Clearing
from scoring.errors import ModelExists, ModelNotFound, ModelRefused
from scoring.first_stage import FirstStage
from scoring.folders import write_folder
from scoring.model_files import VERSION_LENGTH, read_json

FORMAT = 2  # 1 had no votes of pairs
TENSORS, TOKENIZER, CARD = "stage.safetensors", "tokenizer.json", "cascade.json"
_KEYS = ("format", "max_tokens", "clearing", "report", "version")


def version_of(fitted: Fitted) -> str:
    """A short SHA-256 over the stage, the rule and the report."""
    return _hash(_files(fitted), _card(fitted))


def save_cascade(fitted: Fitted, folder: Path) -> None:
    """Write ``folder`` whole or not at all; a no-op when it holds this very cascade. Raises ModelExists when it holds
    anything else, ModelNotSaved when it cannot be written."""
    if folder.exists():
        if not (folder / CARD).is_file() or version_of(load_cascade(folder)) != version_of(fitted):
            raise ModelExists(f"{folder} is there already with other content; choose another folder")
        return
    files = _files(fitted)
    card = json.dumps({**_card(fitted), "version": version_of(fitted)}, indent=2, ensure_ascii=False)
    write_folder(folder, {**files, CARD: (card + "\n").encode()})


def load_cascade(folder: Path) -> Fitted:
    """Raises ModelNotFound when there is no cascade, ModelRefused when it is not what ``save_cascade`` wrote."""
    if not all((folder / name).is_file() for name in (TENSORS, TOKENIZER, CARD)):
        raise ModelNotFound(f"{folder} holds no cascade ({TENSORS}, {TOKENIZER} and {CARD}); run goldfold cascade fit")
    card = read_json(folder / CARD, dict)
    if set(card) != set(_KEYS) or card["format"] != FORMAT:
        raise ModelRefused(
            f"{folder / CARD} must have the keys {', '.join(_KEYS)}, and format {FORMAT}; fit it anew "
            "(goldfold cascade fit)"
        )
    try:
        files = {name: (folder / name).read_bytes() for name in (TENSORS, TOKENIZER)}
    except OSError as error:
        raise ModelRefused(f"{folder} cannot be read: {error}") from error
    version = card.pop("version")
    if _hash(files, card) != version:
        raise ModelRefused(f"{folder}: its files do not belong together (content hash differs)")
    try:
        return _assemble(card, files)
    except (ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ModelRefused(f"{folder} is not a cascade: {error}") from error


def _files(fitted: Fitted) -> dict[str, bytes]:
    tensors = {name: np.ascontiguousarray(array) for name, array in sorted(fitted.stage.tensors.items())}
    return {TENSORS: save(tensors), TOKENIZER: fitted.stage.tokenizer.encode()}


def _card(fitted: Fitted) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "max_tokens": fitted.stage.max_tokens,
        "clearing": fitted.clearing.as_dict(),
        "report": fitted.report.as_dict(),
    }


def _hash(files: dict[str, bytes], card: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode())
    for name in (TENSORS, TOKENIZER):
        digest.update(hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:VERSION_LENGTH]


def _assemble(card: dict[str, Any], files: dict[str, bytes]) -> Fitted:
    rule: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in dict(card["clearing"]).items()}
    clearing = Clearing(**rule)
    stage = FirstStage(clearing.policies, files[TOKENIZER].decode(), load(files[TENSORS]), card["max_tokens"])
    return Fitted(stage, clearing, CascadeReport.from_dict(card["report"]))
