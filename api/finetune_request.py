"""What the fine-tuning job is asked for, checked before a job takes its id; without torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labeling.errors import InvalidInput
from scoring.finetune_settings import FinetuneSettings


def finetune_request(model_id: str, golden_version: str, base: str, *, soft: bool, **settings: Any) -> dict[str, Any]:
    """The job's request as plain JSON; ``settings`` as ``FinetuneSettings`` names them. Raises InvalidInput."""
    return {
        "model_id": model_id,
        "golden_version": golden_version,
        "base": base,
        "soft": soft,
        "settings": {name: value for name, value in asdict(settings_of(settings)).items() if name != "device"},
    }


def settings_of(given: dict[str, Any]) -> FinetuneSettings:
    """Raises InvalidInput for a value that cannot be."""
    try:
        return FinetuneSettings(**given)
    except ValueError as error:
        raise InvalidInput(f"fine-tuning: {error}") from error
