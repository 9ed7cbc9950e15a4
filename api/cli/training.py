"""Commands that train: a head in seconds, or a fine-tuned classifier in minutes to hours."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

import typer

from api.cli.models import show_figures
from api.cli.output import out, show_json
from api.cli.session import JsonFlag, goldfold, run_job
from api.finetune_request import finetune_request
from api.ids import new_id
from labeling.training import newest_version
from scoring.finetune_settings import BALANCED, FULL

app = typer.Typer(help="Train a candidate on a golden version and judge it.", no_args_is_help=True)

Golden = Annotated[str, typer.Option("--golden", help="Golden version (default: the newest).")]
ModelId = Annotated[str, typer.Option("--id", help="Id of the model and of the job.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed and version: same weights.")]


@app.command("head")
def head_command(
    context: typer.Context,
    golden: Golden = "",
    model_id: ModelId = "",
    seed: Seed = 0,
    modality: Annotated[str, typer.Option(help="text, or image: on what image_scorer sees.")] = "text",
    as_json: JsonFlag = False,
) -> None:
    """Fit a head on a golden version's train partition and judge it on dev.

    Examples:

      goldfold train head

      goldfold train head --golden 1.2.0 --id hate-7 --json

      goldfold train head --modality image
    """
    if modality not in ("text", "image"):
        raise typer.BadParameter(f"--modality: {modality!r} is not text or image")
    chosen = model_id or new_id("model")
    request = {"model_id": chosen, "golden_version": _version(context, golden), "seed": seed}
    request |= {"modality": modality} if modality != "text" else {}
    _show(run_job(context, "train", chosen, request, quiet=as_json), request, as_json)


@app.command("finetune")
def finetune_command(
    context: typer.Context,
    base: Annotated[
        str,
        typer.Option(
            "--base", help='Folder of a transformers model, a scorer file, a hub id on this machine, "default".'
        ),
    ],
    golden: Golden = "",
    model_id: ModelId = "",
    method: Annotated[str, typer.Option(help="full, or lora: few weights on top, merged at the end.")] = FULL,
    epochs: Annotated[int, typer.Option(help="The most; dev says when to stop.")] = 4,
    learning_rate: Annotated[float | None, typer.Option(help="Default: 3e-5 for full, 3e-4 for lora.")] = None,
    step_tokens: Annotated[int, typer.Option(help="Tokens an optimizer step learns from.")] = 4096,
    batch_tokens: Annotated[int | None, typer.Option(help="Tokens in memory at once (default: by device).")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Cut texts there (default: the model's most).")] = None,
    patience: Annotated[int, typer.Option(help="Judgements of dev without a lower loss that end it.")] = 3,
    class_weights: Annotated[str, typer.Option(help="balanced, or none.")] = BALANCED,
    lora_rank: Annotated[int, typer.Option(help="Of lora's matrices.")] = 8,
    soft_labels: Annotated[
        bool, typer.Option("--soft-labels", help="Learn the share of votes, not the answer.")
    ] = False,
    seed: Seed = 0,
    as_json: JsonFlag = False,
) -> None:
    """Fine-tune a transformers model on a golden version's train partition and judge it on dev. Killed or cancelled,
    the same id goes on from the last checkpoint.

    Examples:

      goldfold train finetune --base default --method lora

      goldfold train finetune --base models/mmbert-small --golden 1.2.0 --id hate-8 --soft-labels
    """
    chosen = model_id or new_id("model")
    request = finetune_request(
        chosen,
        _version(context, golden),
        base,
        soft=soft_labels,
        method=method,
        epochs=epochs,
        learning_rate=learning_rate,
        step_tokens=step_tokens,
        batch_tokens=batch_tokens,
        max_tokens=max_tokens,
        patience=patience,
        class_weights=class_weights,
        lora_rank=lora_rank,
        seed=seed,
    )
    made = run_job(
        context,
        "finetune",
        chosen,
        request,
        quiet=as_json,
        check=lambda _: import_module("api.finetuning").find_base(base),
    )
    _show(made, request, as_json)


def _version(context: typer.Context, golden: str) -> str:
    with goldfold(context) as opened:
        return golden or newest_version(opened.ledger.golden)


def _show(result: Mapping[str, Any], request: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(result)
        return
    out.print(f"Candidate {result['model_id']} ({result['version']}) on golden {request['golden_version']}")
    for policy_id, said in sorted(result["report"].items()):
        out.print(f"  {policy_id}: {said}")
    show_figures(result["evaluation"])
