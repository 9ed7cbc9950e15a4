"""What a sentence encoder was trained to read before a text, such as "query: "."""

from __future__ import annotations

from pathlib import Path

from scoring.errors import ModelRefused
from scoring.model_files import read_json

FILE = "config_sentence_transformers.json"


def read_prompt(folder: Path, prompt: str | None = None, name: str | None = None) -> str:
    """``prompt`` itself; or the one that the model's files have by ``name``, or as their default; else nothing.

    Raises ValueError for both at once or an unknown name, ModelRefused for files that make no sense.
    """
    if prompt is not None and name is not None:
        raise ValueError("give a prompt or the name of one, not both")
    if prompt is not None:
        return prompt
    config = read_json(folder / FILE, dict)
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in prompts.values()):
        raise ModelRefused(f"{folder / FILE}: prompts should map names to texts")
    wanted = name if name is not None else config.get("default_prompt_name")
    if wanted is None:
        return ""
    if wanted not in prompts:
        known = ", ".join(map(str, prompts)) or "none"
        if name is None:
            raise ModelRefused(f"{folder / FILE} names {wanted!r} as its default prompt but has {known}")
        raise ValueError(f"prompt_name {name!r} is unknown; {folder.name} has {known}")
    return prompts[wanted] or ""
