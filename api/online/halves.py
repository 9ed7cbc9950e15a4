"""Scoring a batch so that a text on which the scorer fails does so alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import structlog

from api.errors import ROOTS
from api.online.tickets import Judge, Row
from scoring.base import Scores

NO_ROW = Row(error="the scorer gave no result for this text")
CRASHED = Row(error="the scorer failed on this text; the service's log says why")
GIVEN_UP = Row(error="the scorer failed on several texts that were scored with this one; send it again")
NOT_A_TEXTS_OWN: tuple[type[Exception], ...] = (MemoryError, *ROOTS)
MOST_PARTS = 40  # one text among a thousand takes 21: the whole, and two halves ten times

log = structlog.get_logger(__name__)


def score_batch(judge: Judge, texts: Sequence[str]) -> list[Row]:
    """A row for each text. Where the scorer raises something unexpected the texts are scored again in halves, and so
    on, until those that it fails on stand alone or ``MOST_PARTS`` parts were tried; what is left then is GIVEN_UP.

    Raises the errors of a room, MemoryError, and whatever is no Exception: those are not a single text's own.
    """
    rows = [GIVEN_UP] * len(texts)
    parts = deque([range(len(texts))])
    for _ in range(MOST_PARTS):
        if not parts:
            break
        part = parts.popleft()
        try:
            found = _rows(judge.score([str(i) for i in range(len(part))], [texts[i] for i in part]), len(part))
        except NOT_A_TEXTS_OWN:
            raise
        except Exception as error:  # becomes the answer of the one text that it comes from
            whole = len(part) == len(texts)
            log.warning("the online scorer failed", texts=len(part), error=type(error).__name__, exc_info=whole)
            if len(part) > 1:
                parts += (part[: len(part) // 2], part[len(part) // 2 :])
                continue
            found = [CRASHED]
        for i, row in zip(part, found, strict=True):
            rows[i] = row
    return rows


def crashed(row: Row) -> bool:
    """Whether the text has no scores because the scorer raised something."""
    return row is CRASHED or row is GIVEN_UP


def _rows(scores: Scores, count: int) -> list[Row]:
    """A row for each of ``count`` texts, whose ids were their positions."""
    rows = [NO_ROW] * count
    notes: dict[str, tuple[str, ...]] = {}
    for note in scores.notes:
        notes[note.item_id] = (*notes.get(note.item_id, ()), note.text)
    told = None if scores.disagreement is None else scores.disagreement.tolist()
    for place, (item_id, values) in enumerate(zip(scores.ids, scores.probabilities.tolist(), strict=True)):
        named = dict(zip(scores.policies, values, strict=True))
        differ = None if told is None else dict(zip(scores.policies, told[place], strict=True))
        rows[int(item_id)] = Row(named, notes.get(item_id, ()), disagreement=differ)
    for failure in scores.failures:
        rows[int(failure.item_id)] = Row(error=failure.reason)
    return rows
