"""The model card of a fine-tuned model: what it was made of, and how good it is where that is known."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import yaml

from labeling.golden.manifest import merkle_root
from labeling.golden.manifest import rows as canonical_rows
from labeling.quality.evaluation import Evaluation
from labeling.records import GoldenItem, GoldenVersion
from scoring.finetune import LIBRARIES, Finetuning
from scoring.model_files import WEIGHTS


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the card tells. ``train``, ``dev``: the golden rows that taught, and that judged; ``figures``: those on
    dev, None where it holds nothing."""

    golden: GoldenVersion
    base: Path
    base_name: str
    soft: bool
    found: Finetuning
    train: Sequence[GoldenItem]
    dev: Sequence[GoldenItem]
    figures: Evaluation | None


def model_card(facts: Facts) -> str:
    """README.md: a YAML header as the Hugging Face hub reads it, then Markdown. The same facts give the same text: no
    clock, no path, no host."""
    languages = sorted({row.language for row in facts.train} - {"und"})
    head = {
        **({"language": languages} if languages else {}),
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "base_model": facts.base_name,
        "tags": ["goldfold", "content-safety", *(["lora"] if facts.found.settings.method == "lora" else [])],
    }
    parts = [_about(facts), _data(facts), _policies(facts), _figures(facts), _making(facts), _bounds(facts)]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n" + "\n".join(parts)


def _about(facts: Facts) -> str:
    found = facts.found
    weights = "\n".join(f"  - `{name}`: `{digest}`" for name, digest in sorted(_hashes(facts.base).items()))
    return (
        f"# {facts.base_name}, fine-tuned on golden version {facts.golden.version}\n\n"
        f"A text classifier with one label a policy, each by itself: the sigmoid of a label's logit is the probability "
        "that the text violates that policy.\n\n"
        f"- golden version: {facts.golden.version}\n"
        f"- Merkle root of the whole version: `{facts.golden.merkle_root}`\n"
        f"- method: {found.settings.method}{' (merged into the weights)' if found.settings.method == 'lora' else ''}\n"
        f"- base model: {facts.base_name}, SHA-256 of its weights:\n{weights}\n"
    )


def _data(facts: Facts) -> str:
    lines = [
        "## Data\n",
        "| partition | used for | rows | items | Merkle root of these rows |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, use, rows in (("train", "learning", facts.train), ("dev", "stopping, and the figures", facts.dev)):
        root = merkle_root(canonical_rows(rows)) if rows else "none"
        lines.append(f"| {name} | {use} | {len(rows)} | {len({row.item_id for row in rows})} | `{root}` |")
    aims = (
        "the share of people who said that it violates, or a lead's answer where only one is right"
        if facts.soft
        else "final answers"
    )
    lines.append(f"\nTargets: {aims}. No row of calibration, sealed or anchor was read.")
    return "\n".join(lines) + "\n"


def _policies(facts: Facts) -> str:
    lines = ["## Policies\n", "| label | policy | violates | allowed |", "| --- | --- | --- | --- |"]
    for place, policy in enumerate(facts.found.policies):
        violates, allowed = facts.found.counts[policy]
        lines.append(f"| {place} | {policy} | {violates} | {allowed} |")
    lines += [f"\nLeft out: {policy} ({why})." for policy, why in sorted(facts.found.left_out.items())]
    return "\n".join(lines) + "\n"


def _figures(facts: Facts) -> str:
    if facts.figures is None:
        return "## Figures\n\nThe dev partition is empty: nothing is known, and the last step's weights were kept.\n"
    lines = [
        "## Figures\n",
        "On dev, which also chose the step: a little too good. 95 % intervals; no calibration.\n",
        "| policy | policy version | figure | value | low | high | n | events | licence |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in facts.figures.policies:
        for name in ("auprc", "precision", "recall"):
            figure = getattr(one, name)
            value = figure.verdict if figure.value is None else f"{figure.value:.4f}"
            cells = (one.policy_id, one.policy_version, name, value, _end(figure.low), _end(figure.high))
            lines.append(f"| {' | '.join(cells)} | {figure.n} | {figure.events} | {one.licence} |")
    thresholds = ", ".join(f"{one.policy_id} {one.threshold:g}" for one in facts.figures.policies)
    lines.append(f"\nPrecision and recall hold at the thresholds {thresholds}.")
    return "\n".join(lines) + "\n"


def _making(facts: Facts) -> str:
    found = facts.found
    lines = ["## How it was made\n", "| setting | value |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in sorted(_settings(found).items())]
    lines.append(f"\n{found.step} of at most {found.steps} steps; the weights are those of step {found.best_step}.\n")
    lines += ["| step | dev loss | dev AUPRC, mean over policies |", "| --- | --- | --- |"]
    lines += [f"| {step} | {_number(told, 'dev_loss')} | {_number(told, 'dev_auprc')} |" for step, told in found.dev]
    lines.append("\nLibraries: " + ", ".join(f"{name} {version(name)}" for name in LIBRARIES) + ".")
    return "\n".join(lines) + "\n"


def _bounds(facts: Facts) -> str:
    return (
        "## Bounds\n\n"
        f"- Texts were cut at {facts.found.settings.max_tokens} tokens in training; Goldfold reads longer ones in "
        "windows, and the highest counts.\n"
        "- Class weights were taken out of the last layer's bias again: probabilities are for the share of violating "
        "labels in the train partition, which is not that of any traffic.\n"
        "- A model can remember what it learnt from. Who may not see the training texts should not get the model.\n"
        "- It was judged on the policies and languages above, and on nothing else.\n"
    )


def _settings(found: Finetuning) -> dict[str, object]:
    told = asdict(found.settings)
    return {name: value for name, value in told.items() if found.settings.method == "lora" or "lora" not in name}


def _hashes(base: Path) -> dict[str, str]:
    found = {}
    for path in base.glob(WEIGHTS):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _number(told: Mapping[str, float], name: str) -> str:
    return f"{told[name]:.4f}" if name in told else "none"


def _end(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "none"
