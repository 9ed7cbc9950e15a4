"""A fine-tuned classifier as it is kept: a folder of transformers files, and a card with the hash of each of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoring.errors import ModelExists, ModelNotFound, ModelNotSaved, ModelRefused
from scoring.model_files import PICKLES, SETTINGS, VERSION_LENGTH, WEIGHTS, read_json

CARD = "finetuned.json"
README = "README.md"
FORMAT = 1
_KEYS = {"format", "encoder_version", "policies", "max_tokens", "files", "version"}
_READ = (WEIGHTS, "*.index.json", *PICKLES, *SETTINGS)  # what transformers might load from a folder


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A classifier with a label for each policy; label j means ``policies[j]``, by the sigmoid of its logit.

    ``encoder_version``: the service's encoder, whose embeddings stand beside its scores and by which near-duplicates of
    what it learnt are known; ``max_tokens``: of a text's window. ``version`` is a short SHA-256 over the card, which
    has that of every file of the folder.
    """

    folder: Path
    policies: tuple[str, ...]
    encoder_version: str
    max_tokens: int
    version: str

    @classmethod
    def load(cls, folder: Path) -> Finetuned:
        """Read the card and check every file. Raises ModelNotFound when there is none, ModelRefused when a file is not
        what ``seal`` saw, or one that transformers would read is not on the card."""
        if not (folder / CARD).is_file():
            raise ModelNotFound(f"{folder} holds no fine-tuned model ({CARD})")
        card = read_json(folder / CARD, dict)
        if not _is_card(card):
            raise ModelRefused(f"{folder / CARD} must have the keys {', '.join(sorted(_KEYS))}, and format {FORMAT}")
        if _version(card) != card["version"]:
            raise ModelRefused(f"{folder / CARD} is not what was written (content hash differs)")
        _check_files(folder, card["files"])
        return cls(folder, tuple(card["policies"]), card["encoder_version"], card["max_tokens"], card["version"])


def is_finetuned(folder: Path) -> bool:
    """Whether the folder says it holds a fine-tuned model; nothing is checked."""
    return (folder / CARD).is_file()


def seal(draft: Path, policies: tuple[str, ...], encoder_version: str, max_tokens: int) -> str:
    """Write the card of the files in ``draft`` and make all of them last; the version. Raises ModelNotSaved."""
    try:
        files = {path.name: _hash(path) for path in sorted(draft.iterdir()) if path.is_file() and path.name != CARD}
        card: dict[str, Any] = {
            "format": FORMAT,
            "encoder_version": encoder_version,
            "policies": list(policies),
            "max_tokens": max_tokens,
            "files": files,
        }
        card["version"] = _version(card)
        (draft / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        for path in (*(draft / name for name in (*files, CARD)), draft):
            if path.is_file():
                path.chmod(0o644)
            _sync(path)
    except OSError as error:
        raise ModelNotSaved(f"{draft} could not be written: {error}") from error
    return str(card["version"])


def move(draft: Path, folder: Path) -> None:
    """Make a sealed draft the model in ``folder``; a no-op when that very model is there. Raises ModelExists when
    anything else is, ModelNotSaved."""
    if folder.exists():
        if not is_finetuned(folder) or Finetuned.load(folder).version != Finetuned.load(draft).version:
            raise ModelExists(f"{folder} is there already with other content; choose another model id")
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        os.rename(draft, folder)
        _sync(folder.parent)
    except OSError as error:
        raise ModelNotSaved(f"{folder} could not be written: {error}") from error


def _is_card(card: Mapping[str, Any]) -> bool:
    if set(card) != _KEYS or card["format"] != FORMAT or not isinstance(card["max_tokens"], int):
        return False
    names = card["policies"]
    texts = [card["encoder_version"], card["version"], *(names if isinstance(names, list) else [None])]
    return bool(names) and isinstance(card["files"], dict) and all(isinstance(text, str) for text in texts)


def _version(card: Mapping[str, Any]) -> str:
    told = {key: value for key, value in card.items() if key != "version"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:VERSION_LENGTH]


def _check_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, wanted in files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise ModelRefused(f"{path} is missing, or its name is no file name")
        if _hash(path) != wanted:
            raise ModelRefused(f"{path} is not what was written (content hash differs)")
    strange = sorted({path.name for pattern in _READ for path in folder.glob(pattern)} - {*files, CARD})
    if strange:
        raise ModelRefused(f"{folder / strange[0]} does not belong to the model; take it out of the folder")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
