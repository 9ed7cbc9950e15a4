"""transformers' ``Trainer`` for several policies at once, whose checkpoints hold no pickle and resume exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from scoring.batching import token_batches
from scoring.checkpoints import (
    Checkpoints,
    Snapshot,
    optimizer_state,
    optimizer_state_of,
    put_random_state,
    put_weights,
    random_state,
    trained_weights,
)
from scoring.finetune_flow import DEV_AUPRC, DEV_LOSS, Course, Flow, Row, best_step
from scoring.finetune_loss import mean_average_precision

SCHEDULE = ("base_lrs", "last_epoch", "_step_count", "_last_lr")


class PolicyTrainer(Trainer):
    """A training from a ``Course``: data order, loss, judging and checkpoints are ours, the loop is transformers'."""

    loss_is_scaled_for_ga = True  # ``compute_loss`` divides by the weight of the whole step

    def __init__(
        self, model: torch.nn.Module, args: TrainingArguments, course: Course, checkpoints: Checkpoints, logs: Path
    ) -> None:
        super().__init__(model=model, args=args, train_dataset=course.train, callbacks=[Flow(course, logs)])
        self.remove_callback(PrinterCallback)
        self._network, self._course, self._checkpoints = model, course, checkpoints

    def get_train_dataloader(self) -> DataLoader[Row]:
        return DataLoader(self._course.train, batch_sampler=self._course.plan, collate_fn=self._collate)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The share of this micro-batch in the step's mean loss."""
        targets = inputs.pop("targets")
        output = model(**inputs)
        loss = self._course.loss.total(output.logits, targets) / num_items_in_batch
        return (loss, output) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """The weight of all targets of a step."""
        weights = [self._course.loss.weight(batch["targets"].to(device)) for batch in batch_samples]
        return torch.stack(weights).sum()

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Judge dev: loss, and mean average precision where a policy has both classes there."""
        found = self._judge()
        self.log(found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def _judge(self) -> dict[str, float]:
        dev, loss = self._course.dev, self._course.loss
        if dev is None:
            raise ValueError("there is no dev set to judge by")
        logits = np.empty(dev.targets.shape, np.float32)
        total, weight = 0.0, 0.0
        self._network.eval()
        with torch.no_grad():
            for batch in token_batches(dev.lengths, self._course.batch_tokens):
                inputs = self._prepare_inputs(self._collate([dev[place] for place in batch]))
                targets = inputs.pop("targets")
                found = self._network(**inputs).logits
                total += float(loss.total(found, targets))
                weight += float(loss.weight(targets))
                logits[batch] = found.float().cpu().numpy()
        auprc = mean_average_precision(logits, dev.targets)
        return {DEV_LOSS: total / weight, **({} if auprc is None else {DEV_AUPRC: auprc})}

    def _collate(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        inputs = self._course.tokenizer.collate([tokens for tokens, _ in rows], torch.device("cpu"))
        return {**inputs, "targets": torch.from_numpy(np.stack([targets for _, targets in rows]))}

    def _save_checkpoint(self, model: torch.nn.Module, trial: object) -> None:  # noqa: ARG002 - the base class' signature
        """Ours in place of transformers', which pickles the optimizer and the generators."""
        if self.optimizer is None or self.lr_scheduler is None:
            raise ValueError("a checkpoint is saved within a training")
        moments, groups = optimizer_state(self.optimizer.state_dict())
        numbers, plain = random_state()
        schedule = {name: getattr(self.lr_scheduler, name) for name in SCHEDULE}
        snapshot = Snapshot(
            trained_weights(self._network),
            moments,
            numbers,
            {"optimizer": groups, "schedule": schedule, "random": plain},
            json.dumps(asdict(self.state)),
        )
        self._checkpoints.save(self.state.global_step, snapshot)
        self._checkpoints.keep({self.state.global_step, best_step(self.state.log_history) or 0})

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: object = None) -> None:  # noqa: ARG002
        put_weights(self._network, self._read(resume_from_checkpoint).weights)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or self.optimizer is None or self.lr_scheduler is None:
            return
        snapshot = self._read(checkpoint)
        self.optimizer.load_state_dict(optimizer_state_of(snapshot.optimizer, snapshot.plain["optimizer"]))
        self.lr_scheduler.__dict__.update(snapshot.plain["schedule"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            snapshot = self._read(checkpoint)
            put_random_state(snapshot.random, snapshot.plain["random"])

    def _read(self, checkpoint: str) -> Snapshot:
        return self._checkpoints.load(int(checkpoint.rpartition("-")[2]))
