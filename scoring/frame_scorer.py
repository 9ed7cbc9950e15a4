"""What all image scorers share: decode, cut into batches, survive what fails, and count an item by its worst frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, final

import numpy as np
import numpy.typing as npt
import torch

from scoring.base import Failure, Note, Progress, Scores
from scoring.device import free_memory, is_broken, is_out_of_memory
from scoring.engine import HOPELESS
from scoring.errors import BadImage, DeviceError, ModelFailed
from scoring.images import Limits, Pixels, decode

F32 = npt.NDArray[np.float32]
Input = TypeVar("Input")
Forward = Callable[[Sequence[Input]], tuple[F32, F32]]
_FRAME_ERRORS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class FrameScorer(ABC, Generic[Input]):
    """An ``ImageScorer`` over a network that takes one frame at a time, made into an ``Input`` of its own.

    A picture of several frames is as bad as the worst of them, policy by policy; its embedding is the mean of theirs.
    Frames of different pictures share a batch. Out of memory halves the batch, down to single frames; a frame that
    makes the network raise or gives a number that is not finite fails its item and no other.
    """

    name: str
    version: str
    embedding_version: str
    policies: tuple[str, ...]
    dimension: int
    device = torch.device("cpu")

    def __init__(self, limits: Limits, batch: int) -> None:
        """``limits``: what a file may ask for; ``batch``: frames at a time. Raises ValueError."""
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        self._limits, self._batch = limits, batch

    @abstractmethod
    def _prepare(self, frame: Pixels) -> Input:
        """One (h, w, 3) uint8 RGB frame as the network takes it."""

    @abstractmethod
    def _forward(self, inputs: Sequence[Input]) -> tuple[F32, F32]:
        """(n, k) probabilities and (n, d) features of any length, each row by its own input only."""

    @final
    def score(self, ids: Sequence[str], images: Sequence[bytes], progress: Progress | None = None) -> Scores:
        """As ``ImageScorer.score``; a note says of how many frames of an animation the score speaks."""
        _check(ids, images)
        task = self._start(len(ids))
        notes: list[Note] = []
        for i, data in enumerate(images):
            try:
                picture = decode(data, self._limits)
            except BadImage as error:
                task.failed[i] = str(error)
            else:
                for frame in picture.frames:
                    task.add(i, frame, self._prepare)
                if len(picture.frames) < picture.total:
                    notes.append(Note(ids[i], f"{len(picture.frames)} of {picture.total} frames were read"))
            if progress is not None:
                progress(i + 1 - task.waiting(), len(ids))
        task.flush()
        if progress is not None:
            progress(len(ids), len(ids))
        return self._scores(ids, task, notes)

    @final
    def score_pixels(self, ids: Sequence[str], frames: Sequence[Pixels]) -> Scores:
        """As ``ImageScorer.score_pixels``."""
        _check(ids, frames)
        for item_id, frame in zip(ids, frames, strict=True):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
                raise ValueError(f"{item_id}: a frame must be (h, w, 3) uint8, not {frame.shape} {frame.dtype}")
        task = self._start(len(ids))
        for i, frame in enumerate(frames):
            task.add(i, frame, self._prepare)
        task.flush()
        return self._scores(ids, task, [])

    def _start(self, items: int) -> _Pass[Input]:
        return _Pass(self._forward, self.device, self._batch, (items, len(self.policies), self.dimension))

    def _scores(self, ids: Sequence[str], task: _Pass[Input], notes: list[Note]) -> Scores:
        kept = [i for i in range(len(ids)) if i not in task.failed]
        fine = {ids[i] for i in kept}
        return Scores(
            ids=tuple(ids[i] for i in kept),
            policies=self.policies,
            probabilities=task.worst[kept],
            embeddings=unit(task.sums[kept]).astype(np.float16),
            failures=tuple(Failure(ids[i], task.failed[i]) for i in sorted(task.failed)),
            notes=tuple(note for note in notes if note.item_id in fine),
        )


class _Pass(Generic[Input]):
    """One pass over frames; positions are rows of the items asked and never leave this module."""

    def __init__(self, forward: Forward[Input], device: torch.device, batch: int, shape: tuple[int, int, int]) -> None:
        """``shape``: items, policies, dimensions."""
        items, policies, dimension = shape
        self._forward, self._device, self._batch = forward, device, batch
        self._pending: list[tuple[int, Input]] = []
        self._finished = 0  # frames with a result
        self._broken = 0  # frames without one
        self.worst = np.zeros((items, policies), np.float32)
        self.sums = np.zeros((items, dimension), np.float32)
        self.failed: dict[int, str] = {}

    def waiting(self) -> int:
        """Items with frames that are not scored yet."""
        return len({position for position, _ in self._pending})

    def add(self, position: int, frame: Pixels, prepare: Callable[[Pixels], Input]) -> None:
        """Take a frame in, unless another one of its item has failed."""
        if position in self.failed:
            return
        try:
            self._pending.append((position, prepare(frame)))
        except _FRAME_ERRORS as error:
            self._fail(position, f"the model cannot read this picture: {type(error).__name__}: {error}")
        if len(self._pending) >= self._batch:
            self.flush()

    def flush(self) -> None:
        """Score what waits."""
        waiting, self._pending = self._pending, []
        parts = [waiting[i : i + self._batch] for i in range(0, len(waiting), self._batch)]
        while parts:
            part = parts.pop()
            reason = self._attempt(part)
            if reason and len(part) == 1:
                self._fail(part[0][0], reason)
            elif reason:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]

    def _attempt(self, part: list[tuple[int, Input]]) -> str:
        """Why the part has no result; empty when it has."""
        try:
            probabilities, features = self._forward([frame for _, frame in part])
        except _FRAME_ERRORS as error:
            if is_broken(error):
                raise DeviceError(f"{self._device} broke down, restart this process: {error}") from error
            if not is_out_of_memory(error):
                return f"the model cannot read this picture: {type(error).__name__}: {error}"
        else:
            self._keep(part, probabilities, features)
            return ""
        self._batch = max(1, min(self._batch, len(part) // 2))
        free_memory(self._device)
        return f"not enough memory on {self._device} for this picture alone"

    def _keep(self, part: list[tuple[int, Input]], probabilities: F32, features: F32) -> None:
        good = np.isfinite(np.concatenate([probabilities, features], axis=1)).all(axis=1)
        vectors = unit(features)
        for row, (position, _) in enumerate(part):
            if not good[row]:
                self._fail(position, "the model's answer is not a finite number")
                continue
            self._finished += 1
            self.worst[position] = np.maximum(self.worst[position], np.clip(probabilities[row], 0, 1))
            self.sums[position] += vectors[row]

    def _fail(self, position: int, reason: str) -> None:
        self.failed[position] = reason
        self._broken += 1
        if self._finished == 0 and self._broken >= HOPELESS:
            raise ModelFailed(f"the model failed on each of the first {HOPELESS} pictures; the last time: {reason}")


def unit(vectors: F32) -> F32:
    """Rows of length one; rows of zeros stay so."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def _check(ids: Sequence[str], images: Sequence[object]) -> None:
    if len(ids) != len(images):
        raise ValueError(f"{len(ids)} ids but {len(images)} images")
    seen: set[str] = set()
    for item_id in ids:
        if item_id in seen:
            raise ValueError(f"id {item_id!r} comes more than once")
        seen.add(item_id)
