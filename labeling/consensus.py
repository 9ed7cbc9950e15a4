"""Do the people who answered a blind task agree?

The rule, all of it:

- One vote a person. A person is whoever really wrote the answer (``updated_by``, else ``annotator``); of several
  answers the newest counts, so nobody agrees with themselves.
- The first ``overlap`` people decide, in the order their annotations were made (Label Studio's id, which an edit does
  not change). Fewer: wait.
- They agree when outcome *and* rule are equal, and their severities lie less than two levels apart. Otherwise a lead
  decides.
- Adaptive overlap, where it is on (``Widening``): when the first answers differ in outcome or rule, or when all of them
  contradict a model that was sure (probability at least ``sure``, or at most 1 - ``sure``), one more person is asked
  before anything is decided, up to ``max_overlap``. Then the answer (outcome and rule) of more than half of them
  settles it as ``consensus``; where there is none, a lead decides. Severities alone do not call for one more person: a
  lead weighs those. Whether there is a budget and a person left is for the caller to know (labeling.widening).
- Label Studio does not enforce the overlap: answers beyond it stay in the votes (the soft label) but overturn
  nothing. ``unanimous`` means everybody said the same, ``consensus`` that somebody beyond the overlap did not.
- The agreed severity is the upper median of those given: between two levels the graver one, because understating
  harm costs more.
- An agreed ``context_missing`` settles the task, but such an item never becomes gold (see labeling.golden.fold).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from labeling.records import Annotation, AnnotationEvent, Answer, How, Outcome, Task

SEVERITY_GAP = 2  # levels apart at which two severities are a disagreement


@dataclass(frozen=True, slots=True)
class Waiting:
    """Too few people have answered yet."""

    have: int
    need: int


@dataclass(frozen=True, slots=True)
class Agreed:
    """The final answer, and the votes of everybody who answered (``annotators``, in order of their annotations)."""

    answer: Answer
    how: How
    votes: dict[str, int]
    annotators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disputed:
    """A lead must decide; ``reason`` says what they differ in, ``answers`` is one annotation a person."""

    reason: str
    votes: dict[str, int]
    annotators: tuple[str, ...]
    answers: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class Doubtful:
    """One more person should be asked before anybody decides; ``reason`` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Widening:
    """Adaptive overlap: up to ``max_overlap`` people; a model is ``sure`` from that probability on, in (0.5, 1]."""

    max_overlap: int = 3
    sure: float = 0.9


Decision = Waiting | Agreed | Disputed | Doubtful


def decide(
    task: Task, annotations: Sequence[Annotation], widening: Widening | None = None, probability: float | None = None
) -> Decision:
    """Apply the module's rule to the live answers of one blind task, whatever the order they come in. Doubtful only
    with ``widening``; ``probability``: the model's when the item was picked, None where it is not known."""
    answers = one_each(annotations)
    deciders = [plain(a.answer) for a in answers[: task.overlap]]
    if len(deciders) < max(task.overlap, 1):
        return Waiting(have=len(deciders), need=max(task.overlap, 1))
    tally = votes(answers)
    people = tuple(author(a) for a in answers)
    majority = _majority(deciders) if task.extra else []
    if widening is not None and task.overlap < widening.max_overlap and not majority:
        doubt = _doubt(deciders, probability if not task.extra else None, widening.sure)
        if doubt:
            return Doubtful(doubt)
    reason = difference(majority or deciders)
    if reason:
        return Disputed(reason, tally, people, answers)
    how = How.UNANIMOUS if len(tally) == 1 else How.CONSENSUS
    return Agreed(_merged(majority or deciders), how, tally, people)


def _majority(answers: Sequence[Answer]) -> list[Answer]:
    """The answers of more than half that are equal in outcome and rule; none when there is no such half."""
    key, count = Counter((a.outcome, a.rule) for a in answers).most_common(1)[0]
    return [a for a in answers if (a.outcome, a.rule) == key] if 2 * count > len(answers) else []


def _doubt(answers: Sequence[Answer], probability: float | None, sure: float) -> str:
    """Why one more person should be asked, "" when nobody need be."""
    if len({(a.outcome, a.rule) for a in answers}) > 1:
        return difference(answers)
    outcome = answers[0].outcome
    if probability is None:
        return ""
    against = {Outcome.ALLOWED: probability, Outcome.VIOLATES: 1 - probability}.get(outcome, 0.0)
    return f"all say {outcome}, and a model was sure of the opposite" if against >= sure else ""


def author(annotation: Annotation | AnnotationEvent) -> str:
    """Who really wrote an answer; e-mail addresses are compared without case."""
    return (annotation.updated_by or annotation.annotator).strip().casefold()


def one_each(annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
    """The newest answer of each person, people in the order of their first annotation."""
    ordered = sorted(annotations, key=lambda a: a.studio_annotation_id)
    newest: dict[str, Annotation] = {}  # a key keeps the place of its first insertion
    for annotation in ordered:
        held = newest.get(author(annotation))
        if held is None or annotation.studio_updated_at >= held.studio_updated_at:
            newest[author(annotation)] = annotation
    return tuple(newest.values())


def votes(answers: Iterable[Annotation]) -> dict[str, int]:
    """How many people said what, keyed ``outcome`` or ``outcome/rule``, sorted by key."""
    return dict(sorted(Counter(vote_key(a.answer) for a in answers).items()))


def vote_key(answer: Answer) -> str:
    """``allowed``, ``context_missing``, ``violates`` or ``violates/<rule>``."""
    label = plain(answer)
    return f"{label.outcome}/{label.rule}" if label.rule else str(label.outcome)


def plain(answer: Answer) -> Answer:
    """The answer without the rule and severity that only a violation has."""
    if answer.outcome is Outcome.VIOLATES or (answer.rule is None and answer.severity is None):
        return answer
    return replace(answer, rule=None, severity=None)


def difference(answers: Sequence[Answer]) -> str:
    """In what answers disagree, of which none may have a rule or a severity without violating; "" where they agree."""
    outcomes = sorted({str(a.outcome) for a in answers})
    if len(outcomes) > 1:
        return f"outcomes differ: {', '.join(outcomes)}"
    rules = sorted({a.rule or "none" for a in answers})
    if len(rules) > 1:
        return f"rules differ: {', '.join(rules)}"
    levels = [a.severity for a in answers if a.severity is not None]
    if levels and max(levels) - min(levels) >= SEVERITY_GAP:
        return f"severities differ: S{min(levels)} to S{max(levels)}"
    return ""


def _merged(answers: Sequence[Answer]) -> Answer:
    """One answer from equal ones: upper-median severity, the least confidence, every distinct rationale."""
    levels = sorted(a.severity for a in answers if a.severity is not None)
    sure = [a.confidence for a in answers if a.confidence is not None]
    reasons = dict.fromkeys(a.rationale.strip() for a in answers if a.rationale.strip())
    return Answer(
        outcome=answers[0].outcome,
        rule=answers[0].rule,
        severity=levels[len(levels) // 2] if levels else None,
        confidence=min(sure) if sure else None,
        rationale="\n".join(reasons),
    )
