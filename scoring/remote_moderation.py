"""An OpenAI-compatible moderation endpoint as a scorer, its categories mapped to policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.base import Failure, Progress, Scores
from scoring.embeddings import Encoder
from scoring.errors import LabelMapError, RemoteRefused
from scoring.model_files import VERSION_LENGTH
from scoring.remote import Caller, Usage
from scoring.remote_batches import F64, Questions, listed

PATH = "/moderations"
PROBE = "A sentence about the weather."
MAX_CHARS = 20_000


class RemoteModeration:
    """A ``Scorer`` over ``POST /moderations``; what several categories say of one policy counts by the largest.

    Embeddings are those of ``encoder``, since such a service gives none. The version names the address, the model
    that the service says it used, and the map: what the service changes without saying so cannot be seen here.
    """

    def __init__(
        self,
        caller: Caller,
        model: str,
        labels: Mapping[str, str],
        encoder: Encoder,
        *,
        policies: Sequence[str] | None = None,
        max_chars: int = MAX_CHARS,
        per_million_tokens: float = 0.0,
        per_thousand_requests: float = 0.0,
    ) -> None:
        """``labels``: the service's category -> policy id; prices as in ``Usage.cost``. Asks once, to see that key,
        model and categories are right. Raises RemoteUnreachable, RemoteRefused, LabelMapError."""
        self.name = f"{model} at {caller.endpoint.name}"
        self._caller, self._model, self._labels, self._encoder = caller, model, dict(labels), encoder
        self.policies = _policies(labels, policies)
        self._prices = (per_million_tokens, per_thousand_requests)
        self._questions = Questions(caller, PATH, self._body, self._rows, max_chars)
        self._served = ""
        self._served = self._probe()
        self.embedding_version = encoder.version
        settings = json.dumps(
            ["moderation", caller.endpoint.name, self._served, self._labels, self.policies, max_chars, encoder.version],
            sort_keys=True,
        )
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]

    @property
    def usage(self) -> Usage:
        """What was asked for since this scorer was made."""
        return self._caller.usage

    @property
    def cost(self) -> float:
        """What that costs, by the prices given."""
        return self.usage.cost(*self._prices)

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """As ``Scorer.score``. Raises RemoteUnreachable when the service stays away: nothing is lost, run it again."""
        answers = self._questions.ask(ids, texts, progress)
        by_id = dict(zip(ids, texts, strict=True))
        judged = [item_id for item_id in ids if item_id in answers.rows]
        found = self._encoder.encode(judged, [by_id[item_id] for item_id in judged])
        return Scores(
            ids=found.ids,
            policies=self.policies,
            probabilities=self._matrix([answers.rows[item_id] for item_id in found.ids]),
            embeddings=found.vectors,
            failures=_in_order([*answers.failures, *found.failures], ids),
            notes=(*(note for note in answers.notes if note.item_id in set(found.ids)), *found.notes),
        )

    def _matrix(self, rows: list[F64]) -> npt.NDArray[np.float32]:
        return np.array(rows, np.float32).reshape(len(rows), len(self.policies))

    def _body(self, texts: list[str]) -> Mapping[str, Any]:
        return {"model": self._model, "input": texts}

    def _rows(self, body: Mapping[str, Any], n: int) -> F64:
        name = self._caller.endpoint.name
        served = str(body.get("model") or self._model)
        if self._served and served != self._served:
            raise RemoteRefused(
                f"{name} went over from model {self._served} to {served}: start again, so that the new model's scores "
                "get a version of their own"
            )
        rows = np.empty((n, len(self.policies)))
        for i, result in enumerate(listed(body, "results", n, name)):
            rows[i] = self._row(result.get("category_scores"), name)
        return rows

    def _row(self, scores: object, name: str) -> list[float]:
        if not isinstance(scores, Mapping):
            raise RemoteRefused(f"{name} gives no category_scores; is it an OpenAI-compatible service?")
        unknown = sorted(set(self._labels) - set(scores))
        if unknown:
            raise LabelMapError(f"{name} has no category {', '.join(unknown)}; it has {', '.join(sorted(scores))}")
        values = {label: _number(scores[label]) for label in self._labels}
        return [max(values[label] for label, meant in self._labels.items() if meant == p) for p in self.policies]

    def _probe(self) -> str:
        reply = self._caller.ask(PATH, self._body([PROBE]), 1)
        if reply.status != 200:
            raise RemoteRefused(f"{self._caller.endpoint.name} answers {reply.status} to a harmless sentence")
        self._rows(reply.body, 1)
        return str(reply.body.get("model") or self._model)


def _number(value: object) -> float:
    """NaN for what is no probability, so that this item fails and not its batch."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        return float("nan")
    return float(value)


def _policies(labels: Mapping[str, str], asked: Sequence[str] | None) -> tuple[str, ...]:
    covered = set(labels.values())
    if not covered or (asked is not None and set(asked) != covered):
        raise LabelMapError(f"the label map covers {', '.join(sorted(covered)) or 'no policy'}; name each policy once")
    return tuple(sorted(covered)) if asked is None else tuple(asked)


def _in_order(failures: list[Failure], ids: Sequence[str]) -> tuple[Failure, ...]:
    place = {item_id: i for i, item_id in enumerate(ids)}
    return tuple(sorted(failures, key=lambda failure: place[failure.item_id]))
