"""Texts to a remote service and back: bad ones left out, batches halved around what the service refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.base import Failure, Note, Progress
from scoring.errors import RemoteRefused
from scoring.remote import TOO_MUCH, Caller, Reply, reason
from scoring.texts import check_ids, text_fault

F64 = npt.NDArray[np.float64]
Body = Callable[[list[str]], Mapping[str, Any]]
Rows = Callable[[Mapping[str, Any], int], F64]  # (the JSON of a reply, number of texts) to (n, width)


@dataclass
class Answers:
    """``rows`` by item id, and what became of the others."""

    rows: dict[str, F64] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


@dataclass
class Questions:
    """How one service is asked: ``path``, ``body`` of some texts, ``rows`` of its reply. Longer texts than
    ``max_chars`` lose their middle, and a note says so."""

    caller: Caller
    path: str
    body: Body
    rows: Rows
    max_chars: int
    _lock: Lock = field(default_factory=Lock, repr=False)

    def ask(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Answers:
        """A row or a failure for each text. Raises ValueError as ``Scorer.score``, RemoteUnreachable, RemoteRefused."""
        check_ids(ids, texts)
        answers = Answers()
        usable = self._usable(ids, texts, answers)
        size = self.caller.manners.batch
        batches = [usable[start : start + size] for start in range(0, len(usable), size)]

        def work(batch: list[tuple[str, str]]) -> None:
            self._ask(batch, answers)
            if progress is not None:
                with self._lock:
                    progress(len(answers.rows) + len(answers.failures), len(ids))

        self.caller.each(batches, work)
        if progress is not None:
            progress(len(ids), len(ids))
        place = {item_id: i for i, item_id in enumerate(ids)}
        answers.failures.sort(key=lambda failure: place[failure.item_id])
        return answers

    def _usable(self, ids: Sequence[str], texts: Sequence[str], answers: Answers) -> list[tuple[str, str]]:
        usable = []
        for item_id, text in zip(ids, texts, strict=True):
            fault = text_fault(text)
            if fault:
                answers.failures.append(Failure(item_id, fault))
                continue
            if len(text) > self.max_chars:
                head, tail = (self.max_chars + 1) // 2, self.max_chars // 2
                left_out = len(text) - self.max_chars
                answers.notes.append(Note(item_id, f"{left_out} characters in the middle of the text were not read"))
                text = text[:head] + text[len(text) - tail :]
            usable.append((item_id, text))
        return usable

    def _ask(self, batch: list[tuple[str, str]], answers: Answers) -> None:
        pending = [batch]
        while pending:
            part = pending.pop()
            reply = self.caller.ask(self.path, self.body([text for _, text in part]), len(part))
            if reply.status in TOO_MUCH:
                pending += self._halves(part, reply, answers)
                continue
            rows = self.rows(reply.body, len(part))
            with self._lock:
                for (item_id, _), row in zip(part, rows, strict=True):
                    if np.isfinite(row).all():
                        answers.rows[item_id] = row
                    else:
                        answers.failures.append(Failure(item_id, "the service's answer is not a finite number"))

    def _halves(self, part: list[tuple[str, str]], reply: Reply, answers: Answers) -> list[list[tuple[str, str]]]:
        if len(part) > 1:
            middle = len(part) // 2
            return [part[middle:], part[:middle]]
        with self._lock:
            name = self.caller.endpoint.name
            answers.failures.append(
                Failure(part[0][0], f"{name} refuses this text: it answers {reply.status}{reason(reply)}")
            )
        return []


def listed(body: Mapping[str, Any], key: str, n: int, name: str) -> list[Mapping[str, Any]]:
    """The n objects under ``key``. Raises RemoteRefused for anything else."""
    found = body.get(key)
    if not isinstance(found, list) or len(found) != n or not all(isinstance(one, Mapping) for one in found):
        raise RemoteRefused(f"{name} should answer with {n} objects under {key!r}; is it an OpenAI-compatible service?")
    return found
