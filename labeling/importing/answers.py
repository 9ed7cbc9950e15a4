"""What an import brings, whatever tool it comes from: items with the answers that people gave, in Goldfold's words.

Each tool has its own labels, so a ``LabelMap`` says what each of them means under one policy. A label that the map does
not know is a problem of its row, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from labeling.errors import InvalidInput
from labeling.policies import Policy
from labeling.records import Answer, Outcome

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # for tools that keep no time of an answer


@dataclass(frozen=True, slots=True)
class ImportedAnswer:
    """One person's answer. ``assisted``: a suggestion stood in the form, so it is no independent vote. ``source_id``
    tells it from the person's other answers to the item."""

    annotator: str
    answer: Answer
    at: datetime = NO_TIME
    lead_time_s: float | None = None
    assisted: bool = False
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class ImportedItem:
    """``row``: where it stood, from 1; ``fields``: as a row of ``goldfold ingest`` (external_id and text at least)."""

    row: int
    fields: Mapping[str, object]
    answers: tuple[ImportedAnswer, ...]


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What each label of the other tool means. ``question``: the control (Label Studio) or question (Argilla) that is
    read; "" where the tool has only one."""

    question: str
    answers: Mapping[str, Answer]

    def read(self, labels: Sequence[str]) -> Answer:
        """The one answer in a person's ``labels``: of several the gravest violation counts. Raises InvalidInput."""
        if not labels:
            raise InvalidInput("no label was chosen")
        unknown = sorted({label for label in labels if label not in self.answers})
        if unknown:
            known = ", ".join(sorted(self.answers))
            raise InvalidInput(
                f"label {unknown[0]!r} has no meaning yet: map it (--label {unknown[0]}=allowed; mapped: {known})"
            )
        found = [self.answers[label] for label in labels]
        if len({answer.outcome for answer in found}) > 1:
            raise InvalidInput(f"labels {', '.join(sorted(labels))} contradict each other; correct the row or drop it")
        return max(found, key=lambda answer: (answer.severity or 0, answer.rule or ""))


MEANINGS = frozenset(Outcome) - {Outcome.LEGAL_STOP}  # what must not be kept is not brought in


def label_map(policy: Policy, question: str, pairs: Sequence[str]) -> LabelMap:
    """The map of ``label=meaning`` pairs, a meaning being ``allowed``, ``context_missing`` or ``violates``, the last
    with a rule and a severity if need be: ``hate=violates:slur:S3``. Without them: the policy's first rule and its own
    severity. Raises InvalidInput naming the pair."""
    answers: dict[str, Answer] = {}
    for pair in pairs:
        label, equals, meaning = (part.strip() for part in pair.rpartition("="))
        if not equals or not label or label in answers:
            raise InvalidInput(
                f"label: {pair!r}: write label=meaning, each label once, such as hate=violates:{policy.rule_ids[0]}:S2"
            )
        answers[label] = _meaning(policy, pair, meaning)
    if not answers:
        raise InvalidInput("label: say what the labels mean, such as --label hate=violates --label ok=allowed")
    return LabelMap(question, answers)


def _meaning(policy: Policy, pair: str, meaning: str) -> Answer:
    outcome, *details = meaning.split(":")
    if outcome not in MEANINGS or len(details) > 2 or (details and outcome != Outcome.VIOLATES):
        raise InvalidInput(f"label: {pair!r}: the meaning is allowed, context_missing or violates[:rule[:S0..S4]]")
    if outcome != Outcome.VIOLATES:
        return Answer(Outcome(outcome))
    rule = details[0] if details else policy.rule_ids[0]
    if rule not in policy.rule_ids:
        raise InvalidInput(f"label: {pair!r}: {policy.id} has no rule {rule!r} (known: {', '.join(policy.rule_ids)})")
    severity = details[1] if len(details) > 1 else f"S{policy.severity}"
    if severity not in {f"S{level}" for level in range(5)}:
        raise InvalidInput(f"label: {pair!r}: {severity!r} is no severity; write S0 to S4")
    return Answer(Outcome.VIOLATES, rule, int(severity[1]))


def external_id(tool: str, given: object, text: str) -> str:
    """The caller's key where the export has one, else one made of the text: the same text is the same item."""
    if isinstance(given, str | int) and not isinstance(given, bool) and str(given).strip():
        return str(given)
    return f"{tool}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def when(value: object) -> datetime:
    """A time as exports have it: ISO 8601 or seconds since 1970; ``NO_TIME`` for none. Raises InvalidInput."""
    if value is None or value == "":
        return NO_TIME
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput(f"{str(value)[:40]!r} is no time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def mapping(value: object, name: str) -> Mapping[str, object]:
    """``value`` as an object of JSON; nothing where it is absent. Raises InvalidInput."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name}: expected an object, found {type(value).__name__}")
    return value


def words(value: object, name: str) -> list[str]:
    """``value`` as labels: one text, or a list of them. Raises InvalidInput."""
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in found):
        raise InvalidInput(f"{name}: expected a label or a list of labels")
    return [str(each) for each in found]
