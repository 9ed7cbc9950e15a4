"""What a fine-tuning reads, and when it logs, judges, keeps a checkpoint and stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboardX import SummaryWriter
from torch.utils.data import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState

from scoring.finetune_batches import BatchPlan
from scoring.finetune_loss import PolicyLoss
from scoring.tokens import Tokenizer, Tokens

F32 = npt.NDArray[np.float32]
DEV_LOSS, DEV_AUPRC = "dev_loss", "dev_auprc"
SHOWN = ("loss", "grad_norm", "learning_rate", DEV_LOSS, DEV_AUPRC)
SAVE_EVERY_S = 300.0  # what a kill may cost where evaluations are rarer

Row = tuple[Tokens, F32]
Watch = Callable[[int, int, Mapping[str, float]], None]  # (steps done, steps in all, newest figures)
Until = Callable[[], bool]


class Rows(Dataset[Row]):
    """Token rows and their targets (k,)."""

    def __init__(self, tokens: Sequence[Tokens], targets: F32) -> None:
        self.tokens, self.targets = tokens, targets

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, place: int) -> Row:
        return self.tokens[place], self.targets[place]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row["input_ids"]) for row in self.tokens]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a training reads and when it looks up. ``dev`` is judged every ``eval_every`` steps; ``patience``:
    judgements without a lower loss that end it; ``until``: asked after each step, True ends this part after a
    checkpoint."""

    train: Rows
    dev: Rows | None
    plan: BatchPlan
    loss: PolicyLoss
    tokenizer: Tokenizer
    batch_tokens: int
    eval_every: int
    patience: int
    watch: Watch
    until: Until


def figures(history: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """(step, dev loss) of each judgement so far."""
    return [(int(row["step"]), float(row[DEV_LOSS])) for row in history if DEV_LOSS in row]


def best_step(history: Sequence[Mapping[str, Any]]) -> int | None:
    """The first of the steps with the lowest dev loss; None when nothing was judged."""
    judged = figures(history)
    return min(judged, key=lambda one: (one[1], one[0]))[0] if judged else None


def is_over(history: Sequence[Mapping[str, Any]], patience: int, step: int, steps: int) -> bool:
    """Whether a training ends at ``step`` of ``steps``: that was the last, or the newest ``patience`` judgements of dev
    were no better than the best before. Told from the history alone, so that a resumed training ends where another
    would."""
    judged = [loss for _, loss in figures(history)]
    return step >= steps or (len(judged) > patience and min(judged[-patience:]) >= min(judged[:-patience]))


class Flow(TrainerCallback):
    """When to log, judge, save and stop; tells the watcher, and TensorBoard's files."""

    def __init__(self, course: Course, logs: Path) -> None:
        self._course, self._logs = course, logs
        self._saved_at = time.monotonic()
        self._newest: dict[str, float] = {}
        self._writer: SummaryWriter | None = None

    def on_train_begin(self, args: object, state: TrainerState, control: object, **_: object) -> None:  # noqa: ARG002
        self._writer = SummaryWriter(str(self._logs), purge_step=state.global_step + 1)

    def on_step_end(self, args: object, state: TrainerState, control: TrainerControl, **_: object) -> None:  # noqa: ARG002
        control.should_log = True
        last = state.global_step >= self._course.plan.steps
        if last or state.global_step % self._course.eval_every == 0:
            control.should_evaluate = self._course.dev is not None
            control.should_save = True
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            control.should_save = True
        if self._course.until():
            control.should_save = control.should_training_stop = True

    def on_evaluate(self, args: object, state: TrainerState, control: TrainerControl, **_: object) -> None:  # noqa: ARG002
        if is_over(state.log_history, self._course.patience, state.global_step, self._course.plan.steps):
            control.should_training_stop = True

    def on_save(self, args: object, state: object, control: object, **_: object) -> None:  # noqa: ARG002
        self._saved_at = time.monotonic()

    def on_log(self, args: object, state: TrainerState, control: object, **more: Any) -> None:  # noqa: ARG002
        told = {name: float(value) for name, value in (more.get("logs") or {}).items() if name in SHOWN}
        if not told:
            return
        for name, value in told.items():
            if self._writer is not None:
                self._writer.add_scalar(name, value, state.global_step)
        self._newest |= told
        self._course.watch(state.global_step, self._course.plan.steps, dict(self._newest))

    def on_train_end(self, args: object, state: object, control: object, **_: object) -> None:  # noqa: ARG002
        if self._writer is not None:
            self._writer.close()
