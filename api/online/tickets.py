"""Requests that wait for the scorer, and whose turn it is: one item of each in turn, so that a request of a thousand
texts keeps nobody with a single one waiting."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from scoring.base import Scores

BYTES_PER_TOKEN = 4  # of UTF-8, English; other scripts need more bytes a letter and more tokens a word
SPECIAL_TOKENS = 2


class Judge(Protocol):
    """The scorer as the queue needs it; ``version`` names its weights."""

    @property
    def version(self) -> str: ...

    def score(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
        """As ``Scorer.score``."""


J = TypeVar("J", bound=Judge)


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one text: ``probabilities`` by policy, or the reason in ``error`` why there are none;
    ``disagreement`` by policy, in nats, where the judge is a committee."""

    probabilities: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None
    disagreement: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Verdict(Generic[J]):
    """The rows of a request in its order, all of them from ``judge``."""

    judge: J
    rows: tuple[Row, ...]


class Ticket(Generic[J]):
    """One waiting request. ``deadline_s`` is in the seconds of the queue's clock; ``costs`` are estimated tokens."""

    def __init__(self, texts: Sequence[str], costs: Sequence[int], deadline_s: float) -> None:
        self.texts = tuple(texts)
        self.costs = tuple(costs)
        self.deadline_s = deadline_s
        self.future: Future[Verdict[J]] = Future()
        self.judge: J | None = None
        self.rows: dict[int, Row] = {}
        self.pending = deque(range(len(self.texts)))
        self.waiting_tokens = sum(self.costs)

    def next(self) -> int:
        """The position of the text whose turn it is; it no longer waits."""
        position = self.pending.popleft()
        self.waiting_tokens -= self.costs[position]
        return position

    def keep(self, judge: J, rows: dict[int, Row]) -> None:
        """Take the rows of a batch, while the ticket is in no line. A request is answered by one model: when another
        one was promoted in between, what the one before found is thrown away, and those texts are pending again."""
        changed = self.judge is not None and self.judge.version != judge.version
        self.judge = judge
        self.rows = dict(rows) if changed else self.rows | rows
        if changed:
            self.pending = deque(i for i in range(len(self.texts)) if i not in self.rows)
            self.waiting_tokens = sum(self.costs[i] for i in self.pending)

    def answer(self) -> bool:
        """Give the caller its verdict, if every text has its row."""
        if self.judge is None or len(self.rows) < len(self.texts):
            return False
        self._settle(Verdict(self.judge, tuple(self.rows[i] for i in range(len(self.texts)))))
        return True

    def fail(self, error: BaseException) -> None:
        """Give the caller an error, if it has no answer yet."""
        self._settle(error)

    def _settle(self, outcome: Verdict[J] | BaseException) -> None:
        # A caller that went away has cancelled the future, and one that has an answer keeps it.
        if self.future.done() or not self.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Line(Generic[J]):
    """The waiting tickets in order. Not safe for threads: its owner locks. ``items`` and ``tokens`` wait in all."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[int, Ticket[J]] = OrderedDict()
        self.items = 0
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def join(self, ticket: Ticket[J]) -> None:
        """Wait at the end of the line, with every text that is pending."""
        self.leave(ticket)
        if ticket.pending:
            self._tickets[id(ticket)] = ticket
            self._count(ticket, 1)

    def leave(self, ticket: Ticket[J]) -> None:
        """Wait no longer; one that does not wait changes nothing."""
        if self._tickets.pop(id(ticket), None) is not None:
            self._count(ticket, -1)

    def take(self, most_tokens: int, now_s: float) -> tuple[list[tuple[Ticket[J], int]], list[Ticket[J]]]:
        """The next batch, at most ``most_tokens`` but at least one text, as (ticket, position); and the tickets that
        were met and whose deadline had passed: those wait no longer."""
        batch: list[tuple[Ticket[J], int]] = []
        late: list[Ticket[J]] = []
        while self._tickets:
            ticket = next(iter(self._tickets.values()))
            if ticket.deadline_s <= now_s:
                self.leave(ticket)
                late.append(ticket)
                continue
            cost = ticket.costs[ticket.pending[0]]
            if batch and cost > most_tokens:
                break
            most_tokens -= cost
            batch.append((ticket, self._next_of(ticket)))
        return batch, late

    def ahead(self, items: int) -> int:
        """Tokens whose turn comes before a newcomer with so many items is done; its own are not counted."""
        return math.ceil(sum(t.waiting_tokens * min(1, items / len(t.pending)) for t in self._tickets.values()))

    def clear(self) -> list[Ticket[J]]:
        """All of them; none waits any longer."""
        left = list(self._tickets.values())
        self._tickets.clear()
        self.items = self.tokens = 0
        return left

    def _next_of(self, ticket: Ticket[J]) -> int:
        position = ticket.next()
        self.items -= 1
        self.tokens -= ticket.costs[position]
        if ticket.pending:
            self._tickets.move_to_end(id(ticket))
        else:
            del self._tickets[id(ticket)]
        return position

    def _count(self, ticket: Ticket[J], sign: int) -> None:
        self.items += sign * len(ticket.pending)
        self.tokens += sign * ticket.waiting_tokens


def cost_of(text: str, max_tokens: int) -> int:
    """Tokens of a text, estimated without a tokenizer; a model reads no more than ``max_tokens``."""
    return min(max_tokens, SPECIAL_TOKENS + math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN))
