"""Fine-tune a transformers encoder on several policies: full or LoRA, resumable, the same numbers for the same seed."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import peft
import torch
from transformers import PreTrainedModel, TrainerState, TrainingArguments, set_seed

from scoring.checkpoints import Checkpoints, put_weights
from scoring.device import resolve_device
from scoring.errors import NotTrainable
from scoring.finetune_batches import BatchPlan, plan_batches
from scoring.finetune_flow import DEV_AUPRC, DEV_LOSS, Course, Rows, Until, Watch, best_step, is_over
from scoring.finetune_loss import PolicyLoss, class_weights
from scoring.finetune_settings import FULL, LORA, MIN_PER_CLASS, FinetuneSettings, Lessons, counts, trainable
from scoring.finetune_trainer import PolicyTrainer
from scoring.finetuned_files import classifier_layer, write_classifier
from scoring.loading import load_trainable, quiet
from scoring.model_files import fingerprint
from scoring.tokens import Tokenizer

LEARNING_RATES = {FULL: 3e-5, LORA: 3e-4}
BATCH_TOKENS = {"cpu": 1024, "cuda": 16384}  # of a micro-batch; gradients take far more memory than scores
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "safetensors")


@dataclass(frozen=True, slots=True)
class Finetuning:
    """How far a fine-tuning is. ``finished``: its model stands in ``folder``, whose weights are those of ``best_step``
    (lowest dev loss; the last step where dev could not judge). ``policies``: the model's, in the order of its labels;
    ``left_out``: why each of the others is none; ``dev``: each judgement, as (step, figures); ``settings``: with all
    that was None filled in."""

    step: int
    steps: int
    finished: bool
    folder: Path
    policies: tuple[str, ...]
    counts: Mapping[str, tuple[int, int]]
    left_out: Mapping[str, str]
    settings: FinetuneSettings
    best_step: int | None = None
    dev: tuple[tuple[int, Mapping[str, float]], ...] = ()


def finetune(
    base: Path,
    policies: Sequence[str],
    lessons: Lessons,
    dev: Lessons,
    settings: FinetuneSettings,
    work: Path,
    watch: Watch | None = None,
    until: Until | None = None,
) -> Finetuning:
    """Fine-tune ``base``, the folder of a transformers encoder or classifier; ``dev`` says when to stop.

    Everything is kept in ``work``: ``checkpoints/``, TensorBoard's ``logs/`` and at the end ``model/``. Called again
    after ``until`` said True, or after a kill at any moment, it goes on from the last checkpoint, and the weights are
    to the last bit those of a run without a break (on one machine with as many threads). Where the data, the base,
    the settings or a library's version changed since, it starts anew. ``watch`` hears (steps done, steps in all,
    figures). Raises NotTrainable, ModelRefused, ModelNotSaved, DeviceError, ValueError.
    """
    kept, left_out = trainable(policies, lessons.labels, MIN_PER_CLASS)
    if not kept:
        raise NotTrainable("no policy can be fine-tuned: " + "; ".join(f"{p}: {why}" for p, why in left_out.items()))
    names = tuple(policies[j] for j in kept)
    run = _Run(base, names, lessons.of(kept), dev.of(kept), settings, work)
    with quiet():
        state = run.go(watch or _silent, until or _never)
    finished = is_over(state.log_history, settings.patience, state.global_step, run.plan.steps)
    best = best_step(state.log_history) or state.global_step
    if finished:
        with quiet():
            run.write(best)
    return Finetuning(
        state.global_step,
        run.plan.steps,
        finished,
        work / "model",
        names,
        dict(zip(names, counts(run.lessons.labels), strict=True)),
        left_out,
        run.settings,
        best if finished else None,
        tuple((int(row["step"]), _dev(row)) for row in state.log_history if DEV_LOSS in row),
    )


class _Run:
    """One call of ``finetune``: model, data and plan made anew, the rest from the last checkpoint."""

    def __init__(
        self,
        base: Path,
        policies: tuple[str, ...],
        lessons: Lessons,
        dev: Lessons,
        settings: FinetuneSettings,
        work: Path,
    ) -> None:
        self.base, self.work, self.lessons = base, work, lessons
        self.device = resolve_device(settings.device)
        set_seed(settings.seed)  # the classifier, and LoRA's matrices, are drawn
        plain = load_trainable(base, policies)
        self.tokenizer = Tokenizer(base, plain, settings.max_tokens, long_text="cut")
        self.settings = _filled(settings, self.device, self.tokenizer.max_tokens)
        self.weights = class_weights(lessons.targets, settings.class_weights)
        if self.weights.shift.any():
            classifier_layer(plain, len(policies))  # told before hours of training, and not after
        self.train = Rows(self.tokenizer.rows(list(lessons.texts)), lessons.targets)
        self.dev = Rows(self.tokenizer.rows(list(dev.texts)), dev.labels) if dev.texts else None
        self.plan = _plan(self.train.lengths, self.settings)
        self.model: Any = _with_adapters(plain, settings) if settings.method == LORA else plain
        self.checkpoints = Checkpoints(work / "checkpoints", self._key(policies, lessons, dev))

    def go(self, watch: Watch, until: Until) -> TrainerState:
        """Train to the end, or until told to stop."""
        there = self.checkpoints.steps()
        if there:
            state = _state(self.checkpoints, there[-1])
            if is_over(state.log_history, self.settings.patience, there[-1], self.plan.steps):
                return state
        else:
            self.checkpoints.keep(set())
        how = self._arguments()
        course = self._course(watch, until, how.device)
        trainer = PolicyTrainer(self.model, how, course, self.checkpoints, self.work / "logs")
        trainer.train(resume_from_checkpoint=str(self.checkpoints.path(there[-1])) if there else None)
        return trainer.state

    def write(self, step: int) -> None:
        """The plain classifier under the weights of a step, as a folder."""
        put_weights(self.model, self.checkpoints.load(step).weights)
        model: PreTrainedModel = self.model.merge_and_unload() if self.settings.method == LORA else self.model
        write_classifier(model, self.base, self.weights.shift, self.work / "model")

    def _course(self, watch: Watch, until: Until, device: torch.device) -> Course:
        return Course(
            train=self.train,
            dev=self.dev,
            plan=self.plan,
            loss=PolicyLoss(self.weights, device),
            tokenizer=self.tokenizer,
            batch_tokens=_number(self.settings.batch_tokens),
            eval_every=max(1, self.plan.steps_per_epoch // self.settings.judgements),
            patience=self.settings.patience,
            watch=watch,
            until=until,
        )

    def _arguments(self) -> TrainingArguments:
        given = self.settings
        arguments = TrainingArguments(
            output_dir=str(self.work),
            seed=given.seed,
            max_steps=self.plan.steps,
            gradient_accumulation_steps=self.plan.per_step,
            learning_rate=given.learning_rate or LEARNING_RATES[given.method],
            weight_decay=given.weight_decay,
            warmup_steps=round(given.warmup * self.plan.steps),
            lr_scheduler_type="linear",
            logging_strategy="no",
            save_strategy="no",
            eval_strategy="no",
            report_to="none",
            disable_tqdm=True,
            log_level="error",
            use_cpu=self.device.type == "cpu",
            bf16=self.device.type == "cuda" and torch.cuda.is_bf16_supported(),
        )
        arguments._n_gpu = min(1, arguments.n_gpu)  # several would be joined by DataParallel, slower and not the same
        return arguments

    def _key(self, policies: tuple[str, ...], lessons: Lessons, dev: Lessons) -> str:
        """Names all that decides the weights."""
        digest = hashlib.sha256()
        libraries = {name: version(name) for name in LIBRARIES}
        about = [fingerprint(self.base, {}), policies, asdict(self.settings), libraries, lessons.texts, dev.texts]
        digest.update(json.dumps(about, sort_keys=True).encode())
        for array in (lessons.targets, lessons.labels, dev.labels):
            digest.update(array.astype("<f4").tobytes())
        return digest.hexdigest()


def _plan(lengths: Sequence[int], settings: FinetuneSettings) -> BatchPlan:
    return plan_batches(
        lengths,
        epochs=settings.epochs,
        batch_tokens=_number(settings.batch_tokens),
        step_tokens=settings.step_tokens,
        seed=settings.seed,
    )


def _filled(settings: FinetuneSettings, device: torch.device, max_tokens: int) -> FinetuneSettings:
    given = asdict(settings)
    given["batch_tokens"] = min(settings.batch_tokens or BATCH_TOKENS[device.type], settings.step_tokens)
    given["learning_rate"] = settings.learning_rate or LEARNING_RATES[settings.method]
    given["max_tokens"], given["device"] = max_tokens, device.type
    return FinetuneSettings(**given)


def _with_adapters(model: PreTrainedModel, settings: FinetuneSettings) -> Any:
    """The model with LoRA on all linear layers of its encoder, and everything above them trained whole."""
    children = [(name, child) for name, child in model.named_children() if any(True for _ in child.parameters())]
    above = [name for name, _ in children if name != model.base_model_prefix]
    inside = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name.startswith(f"{model.base_model_prefix}.")
    ]
    config = peft.LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=inside,
        modules_to_save=above,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks by a name that transformers 6 lets go
        return peft.get_peft_model(model, config)


def _state(checkpoints: Checkpoints, step: int) -> TrainerState:
    return TrainerState(**json.loads(checkpoints.load(step).history))


def _dev(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(row[name]) for name in (DEV_LOSS, DEV_AUPRC) if name in row}


def _number(value: int | None) -> int:
    if value is None:
        raise ValueError("the settings are not filled in")
    return value


def _silent(_done: int, _total: int, _figures: Mapping[str, float]) -> None:
    """Nobody watches."""


def _never() -> bool:
    return False
