"""A language model behind an OpenAI-compatible address as a contender: it is asked about each golden item under the
policy's own words, several times where that is wanted, and its probability is the share of its answers that violate.

Answers that were given are kept (``labeling.judging.answers``), so a run that was killed, or ran out of time, goes on
where it was. What cannot be read is counted, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from labeling.errors import InvalidInput
from labeling.judging.answers import AnswerBook, Key
from labeling.judging.bills import Prices, Spent
from labeling.judging.clock import Clock
from labeling.judging.contender import F32
from labeling.judging.prompts import REFUSED, Asking, Prompt, Said, read_answer
from labeling.judging.scorers import GONE, Unread
from labeling.policies import Policies
from labeling.records import GoldenItem, Outcome, Partition
from labeling.store.interfaces import Lake
from labeling.store.rows import chunks
from scoring.base import Failure, Progress
from scoring.errors import RemoteRefused
from scoring.remote import Caller, Endpoint, Manners, reason
from scoring.texts import text_fault

PATH = "/chat/completions"
PROBE = "A sentence about the weather."
CHUNK = 256  # items whose texts are in memory at once
WITHHELD = (Partition.SEALED, Partition.ANCHOR)
Pair = tuple[str, str]  # item, policy


@dataclass(frozen=True, slots=True)
class Terms:
    """``repeats`` answers a pair of item and policy; texts over ``max_chars`` lose their middle; ``allow_sealed``:
    sealed items and anchors may be sent."""

    repeats: int = 1
    max_chars: int = 20_000
    allow_sealed: bool = False
    prices: Prices = field(default_factory=Prices)


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and where its answer is kept."""

    prompt: Prompt
    item_id: str
    text: str
    repeat: int

    @property
    def key(self) -> Key:
        return self.prompt.digest, self.item_id, self.repeat


@dataclass
class Agent:
    """Asks ``endpoint`` about items of ``lake``, under ``policies`` (those that it judges, as they are in force). For
    one run, and one of its methods at a time."""

    lake: Lake
    policies: Policies
    endpoint: Endpoint
    manners: Manners
    book: AnswerBook
    asking: Asking
    terms: Terms
    clock: Clock
    progress: Progress | None = None
    unread: Unread = field(default_factory=Unread)
    answers: dict[Key, Said] = field(default_factory=dict)
    groups: dict[Pair, str] = field(default_factory=dict)  # everything that it was asked about, with its group
    shortened: set[str] = field(default_factory=set)  # items of which not everything was sent
    spent: Spent = field(default_factory=Spent)  # by this run
    _wanted: set[Pair] = field(default_factory=set)
    _done: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self.caller = Caller(self.endpoint, self.manners, wait=self.clock.wait)
        self.names = tuple(sorted(self.policies))
        self.prompts = {name: Prompt(self.policies[name], self.asking, self.endpoint.name) for name in self.names}

    def expect(self, rows: Sequence[GoldenItem]) -> None:
        """Hear which pairs the next ``score`` is about; others are not asked. Raises InvalidInput for a sealed one or
        an anchor where these may not be sent."""
        self.check(rows)
        self._wanted = {(row.item_id, row.policy_id) for row in rows if row.policy_id in self.prompts}
        self.groups |= {(row.item_id, row.policy_id): row.group_id for row in rows if row.policy_id in self.prompts}

    def check(self, rows: Sequence[GoldenItem]) -> None:
        """Raises InvalidInput when a row may not be sent."""
        if not self.terms.allow_sealed and any(row.partition in WITHHELD for row in rows):
            raise InvalidInput(
                f"allow_sealed: sealed items and anchors would be sent to {self.endpoint.name}, whose owner could keep "
                "them and learn them; set allow_sealed: true in the endpoint file if that may be"
            )

    def score(self, ids: Sequence[str]) -> F32:
        """(n, k) share of its answers that violate, of those that say violates or allowed; NaN where none does. Raises
        AnswersLeft, RemoteUnreachable, RemoteRefused, StoreError; every answer until then is kept."""
        total = len(self._wanted) * self.terms.repeats
        self._done = 0
        for part in chunks(ids, CHUNK):
            questions = list(self._questions(part))
            kept = self._kept(questions)
            self.answers |= kept
            left = [question for question in questions if question.key not in kept]
            self._tell(len(questions) - len(left), total)
            if left and not self.answers:
                self._probe(left[0].prompt)
            self.caller.each(left, lambda question: self._ask(question, total))
        return self._shares(ids)

    def left(self, rows: Sequence[GoldenItem]) -> Iterator[tuple[Question, bool]]:
        """Every question that these rows would ask, and whether its answer is kept already; nothing is asked."""
        self.expect(rows)
        for part in chunks(sorted({item_id for item_id, _ in self._wanted}), CHUNK):
            questions = list(self._questions(part))
            kept = self._kept(questions)
            yield from ((question, question.key in kept) for question in questions)

    def _kept(self, questions: Sequence[Question]) -> dict[Key, Said]:
        found: dict[Key, Said] = {}
        for digest in dict.fromkeys(question.prompt.digest for question in questions):
            ids = list(dict.fromkeys(q.item_id for q in questions if q.prompt.digest == digest))
            found |= self.book.get(digest, ids, self.terms.repeats)
        return found

    def _questions(self, ids: Sequence[str]) -> Iterator[Question]:
        there = set(self.lake.ids()).intersection(ids)
        self.unread.add(Failure(item_id, GONE) for item_id in ids if item_id not in there)
        held = [item_id for item_id in ids if item_id in there]
        texts = self.lake.take(held, ["text"])["text"].to_pylist() if held else []
        for item_id, text in zip(held, texts, strict=True):
            if fault := text_fault(text):
                self.unread.add([Failure(item_id, fault)])
                continue
            for name in self.names:
                if (item_id, name) in self._wanted:
                    whole = self._shortened(item_id, text)
                    yield from (Question(self.prompts[name], item_id, whole, n) for n in range(self.terms.repeats))

    def _shortened(self, item_id: str, text: str) -> str:
        most = self.terms.max_chars
        if len(text) <= most:
            return text
        self.shortened.add(item_id)
        return text[: (most + 1) // 2] + text[len(text) - most // 2 :]

    def _ask(self, question: Question, total: int) -> None:
        self.clock.check()
        reply = self.caller.ask(PATH, question.prompt.body(question.text), 1)
        said = read_answer(reply.body, question.prompt.policy.rule_ids) if reply.status == 200 else Said(REFUSED)
        self.book.add(*question.key, said)
        with self._lock:
            self.answers[question.key] = said
            self.spent = self.spent.plus(said)
        self._tell(1, total)

    def _probe(self, prompt: Prompt) -> None:
        """A request that is wrong for every item must not be taken for a refusal of each."""
        self.clock.check()
        reply = self.caller.ask(PATH, prompt.body(PROBE), 1)
        if reply.status != 200:
            raise RemoteRefused(
                f"{self.endpoint.name} answers {reply.status}{reason(reply)} to a harmless sentence: check model, "
                "temperature, answer_format and limit_key in the endpoint file"
            )
        self.spent = self.spent.plus(read_answer(reply.body, prompt.policy.rule_ids))

    def _shares(self, ids: Sequence[str]) -> F32:
        found = np.full((len(ids), len(self.names)), np.nan, np.float32)
        for i, item_id in enumerate(ids):
            for j, name in enumerate(self.names):
                told = [said for said in self.told(item_id, name) if said in _DECIDED]
                if told:
                    found[i, j] = told.count(Outcome.VIOLATES.value) / len(told)
        return found

    def told(self, item_id: str, policy: str) -> list[str | None]:
        """Its answers about a pair, by repeat; None for what could not be read. Empty where nothing was asked."""
        keys = [(self.prompts[policy].digest, item_id, repeat) for repeat in range(self.terms.repeats)]
        return [self.answers[key].outcome for key in keys if key in self.answers]

    def _tell(self, more: int, total: int) -> None:
        with self._lock:
            self._done += more
        if self.progress is not None:
            self.progress(self._done, total)


_DECIDED = (Outcome.VIOLATES.value, Outcome.ALLOWED.value)
