"""Several scorers, or several heads over one encoder, as one: the mean, and how far they disagree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.base import Failure, Note, Progress, Scorer, Scores
from scoring.disagreement import CommitteeScores, Disagreement, disagreement, mean_of, told_of
from scoring.embedding_head import EmbeddingHead
from scoring.embeddings import Encoder
from scoring.head import Head
from scoring.model_files import VERSION_LENGTH


class Ensemble:
    """A ``Scorer`` that gives the mean of its members' probabilities and the embeddings of the first.

    An item that one member cannot score fails, and the reason names that member; the members after it do not see it.
    ``embedding_version`` is the first member's where it has one, else its version.
    """

    def __init__(self, members: Sequence[Scorer]) -> None:
        """Raises ValueError for no member, or members whose policies are not the same in the same order."""
        self.members = tuple(members)
        self.policies = _common_policies([member.policies for member in self.members])
        self.name = "mean of " + ", ".join(member.name for member in self.members)
        self.version = committee_version("ensemble with disagreement", [member.version for member in self.members])
        self.embedding_version = str(getattr(self.members[0], "embedding_version", self.members[0].version))

    @property
    def parts(self) -> tuple[Scorer, ...]:
        """The scorers that it is made of."""
        return self.members

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> CommitteeScores:
        """As ``Scorer.score``."""
        poll = Poll(dict(zip(ids, texts, strict=False)), len(self.members), progress)
        for place, member in enumerate(self.members):
            left = list(poll.alive) if place else ids  # the first is asked as we were, so that it checks the question
            wanted = [poll.alive[item] for item in left] if place else texts
            poll.hear(f"member {place + 1} ({member.name}): ", member.score(left, wanted, poll.listener(place)))
        return poll.result(self.policies)

    def disagreement(self, scores: CommitteeScores, thresholds: Mapping[str, float]) -> Disagreement:
        """Of what ``score`` returned; ``thresholds``: policy -> tau. Raises ValueError when a policy has none."""
        return disagreement(scores, thresholds)


@dataclass
class Poll:
    """A committee's answers. Members answer one after the other; ``alive`` (id -> text) is what each of them could
    score so far."""

    alive: dict[str, str]
    members: int
    progress: Progress | None
    answers: list[Scores] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    asked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.asked = tuple(self.alive)

    def listener(self, place: int) -> Progress | None:
        """Steps of the member at ``place`` as steps of the whole: items that failed before count as done."""
        hear, whole = self.progress, len(self.asked)
        if hear is None:
            return None
        return lambda done, total: hear((place * whole + done + whole - total) // self.members, whole)

    def hear(self, who: str, answer: Scores) -> None:
        """Take a member's answer; ``who``, such as "member 1: ", stands before what it says of its own."""
        self.answers.append(answer)
        self.failures += [Failure(failure.item_id, f"{who}{failure.reason}") for failure in answer.failures]
        self.notes += [Note(note.item_id, f"{who}{note.text}") for note in answer.notes]
        scored = set(answer.ids)
        self.alive = {item: text for item, text in self.alive.items() if item in scored}

    def result(self, policies: tuple[str, ...], *, first: int = 0) -> CommitteeScores:
        """The embeddings of the first who answered, and the mean of those from place ``first`` on."""
        kept = [[place for place, item in enumerate(answer.ids) if item in self.alive] for answer in self.answers]
        told = [answer.probabilities[rows] for answer, rows in zip(self.answers, kept, strict=True)]
        members = np.stack(told[first:])
        place = {item: i for i, item in enumerate(self.asked)}
        return CommitteeScores(
            ids=tuple(self.alive),
            policies=policies,
            probabilities=mean_of(members),
            embeddings=self.answers[0].embeddings[kept[0]],
            failures=tuple(sorted(self.failures, key=lambda failure: place[failure.item_id])),
            notes=tuple(note for note in self.notes if note.item_id in self.alive),
            disagreement=told_of(members),
            members=members,
        )


class HeadCommittee:
    """A ``Scorer`` of m heads over one encoder: each text is encoded once, so m opinions cost about as much as one."""

    def __init__(self, encoder: Encoder, heads: Sequence[Head]) -> None:
        """Raises ModelRefused for a head of another encoder, ValueError as ``Ensemble`` does."""
        self.encoder = encoder
        self.heads = tuple(heads)
        self.policies = _common_policies([EmbeddingHead(encoder, head).policies for head in self.heads])
        self.name = f"{encoder.name} + {len(self.heads)} heads"
        self.version = committee_version("heads", [encoder.version, *sorted(head.version for head in self.heads)])
        self.embedding_version = encoder.version

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> CommitteeScores:
        """As ``Scorer.score``."""
        found = self.encoder.encode(ids, texts, progress)
        members = self._opinions(found.vectors)
        return CommitteeScores(
            found.ids,
            self.policies,
            mean_of(members),
            found.vectors,
            found.failures,
            disagreement=told_of(members),
            members=members,
        )

    def opinions(self, embeddings: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """(m, n, k) probabilities of kept embeddings (n, d), one layer a head. Raises ValueError for another d."""
        return self._opinions(embeddings.astype(np.float16, copy=False))

    def disagreement(self, scores: CommitteeScores, thresholds: Mapping[str, float]) -> Disagreement:
        """As ``Ensemble.disagreement``."""
        return disagreement(scores, thresholds)

    def _opinions(self, vectors: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
        return np.stack([head.probabilities(vectors) for head in self.heads])


def _common_policies(found: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if not found:
        raise ValueError("there is no member; give at least one")
    for place, policies in enumerate(found[1:], 2):
        if policies != found[0]:
            raise ValueError(
                f"member {place} scores {', '.join(policies)}, but member 1 {', '.join(found[0])}: "
                "give all the same policies in the same order"
            )
    return found[0]


def committee_version(kind: str, versions: Sequence[str]) -> str:
    """The version of a committee of that kind, out of its members' versions and its settings."""
    return hashlib.sha256(json.dumps([kind, *versions]).encode()).hexdigest()[:VERSION_LENGTH]
