"""Fine-tune a model for this installation. Importing this module imports torch, as ``api.scorers``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.composition import Goldfold
from api.finetune_request import settings_of
from configs.scorer_files import packaged_scorers, read_scorer
from configs.scorer_kinds import EmbeddingHeadFile, HFText
from labeling.errors import InvalidInput
from labeling.finetuning import Order, Tuned, Workplace, finetune_model
from scoring.encoder import default_encoder_folder
from scoring.finetune_flow import Until, Watch
from scoring.model_files import locate

DEFAULT = "default"  # the base that comes with Goldfold


def finetune(goldfold: Goldfold, request: dict[str, Any], watch: Watch, until: Until) -> Tuned:
    """Go on with what a request asks for, until it is done or ``until`` says so; see
    ``labeling.finetuning.finetune_model``. Raises InvalidInput (base, settings), ScoringError, LabelingError."""
    base, base_name = find_base(request["base"])
    order = Order(
        model_id=request["model_id"],
        golden_version=request["golden_version"],
        base=base,
        base_name=base_name,
        settings=settings_of({**request["settings"], "device": goldfold.settings.device}),
        soft=request["soft"],
    )
    place = Workplace(
        models=goldfold.models_dir,
        work=goldfold.training_dir / request["model_id"],
        encoder_version=goldfold.prototypes.encoder_version,
        duplicate_cosine=goldfold.duplicate_cosine,
        read=goldfold.reader,
    )
    return finetune_model(goldfold.ledger, goldfold.lake, goldfold.policies, order, place, watch=watch, until=until)


def find_base(named: str) -> tuple[Path, str]:
    """The folder of a base model and what the card calls it: a folder, the name or path of a scorer file whose model is
    on this machine, a hub id that is, or "default" for the encoder that comes with Goldfold. Raises InvalidInput,
    SettingsError, ModelNotFound, ModelRefused."""
    if named == DEFAULT:
        return default_encoder_folder(), "all-MiniLM-L6-v2"
    if named not in packaged_scorers() and not named.endswith((".yaml", ".yml")):
        return locate(named), Path(named).expanduser().name if Path(named).expanduser().is_dir() else named
    file = read_scorer(named)
    if not isinstance(file, HFText | EmbeddingHeadFile) or file.model is None:
        raise InvalidInput(f"base: the scorer file {named} names no text model that can be fine-tuned")
    return locate(file.model, file.revision), Path(file.model).name if Path(file.model).is_dir() else file.model
