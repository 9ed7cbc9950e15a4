"""The nouns of the ledger, as plain frozen values: what each row means, with its ranges.

Words follow the domain's vocabulary: an *item* is picked into a *task* (a *pick* as a person sees it),
people give *annotations*, the final answer is an *adjudication*, and it is kept as a *golden item*.
Times are timezone-aware UTC ``datetime`` everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What a person says about an item under one policy. ``legal_stop``: nobody may go on looking at it (see
    ``LegalStop``); one person's word suffices."""

    VIOLATES = "violates"
    ALLOWED = "allowed"
    CONTEXT_MISSING = "context_missing"
    LEGAL_STOP = "legal_stop"


class Verdict(StrEnum):
    """Of which kind a lead's answer is: the only right one, one of several that can be defended, or contested."""

    SINGLE = "single"
    SEVERAL = "several_defensible"
    CONTESTED = "contested"


class Cause(StrEnum):
    """Why the annotators of a disputed task differ, as the lead who decides it sees it."""

    A_WRONG = "a_wrong"
    B_WRONG = "b_wrong"
    BOTH_WRONG = "both_wrong"
    GUIDELINE_AMBIGUOUS = "guideline_ambiguous"
    POLICY_GAP = "policy_gap"
    CONTEXT_MISSING = "context_missing"
    TOOL_ERROR = "tool_error"
    LEGITIMATELY_PLURAL = "legitimately_plural"


class How(StrEnum):
    """How a final answer was reached."""

    UNANIMOUS = "unanimous"
    CONSENSUS = "consensus"
    ADJUDICATED = "adjudicated"
    CONTESTED = "contested"


class Partition(StrEnum):
    """What a golden item may be used for; fixed per near-duplicate group when it is folded in."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    DEV = "dev"
    SEALED = "sealed"
    ANCHOR = "anchor"


class Tier(StrEnum):
    """How far a golden item may be trusted."""

    PROVISIONAL = "provisional"
    GOLDEN = "golden"
    ANCHOR = "anchor"


class GoldState(StrEnum):
    """Whether a golden item may be used now."""

    ACTIVE = "active"
    STALE = "stale"
    QUARANTINED = "quarantined"
    RETIRED = "retired"
    ERASED = "erased"


class GoldAction(StrEnum):
    """What happened to a golden item, or to a version: one event each."""

    FOLDED = "folded"
    RELABELLED = "relabelled"
    REGROUPED = "regrouped"
    PROMOTED = "promoted"
    DEMOTED = "demoted"
    STALED = "staled"
    QUARANTINED = "quarantined"
    RETIRED = "retired"
    RESTORED = "restored"
    ERASED = "erased"
    PROPOSED = "proposed"
    PUBLISHED = "published"
    APPROVED = "approved"
    REJECTED = "rejected"
    ERRATUM = "erratum"


class VersionState(StrEnum):
    """A golden version's standing: only a ``released`` one is exported, trained on or judged by."""

    PROPOSED = "proposed"
    RELEASED = "released"
    REJECTED = "rejected"


class RoundState(StrEnum):
    """A round's durable steps, in order; ``failed`` and ``cancelled`` end it early."""

    PLANNED = "planned"
    SELECTED = "selected"
    OPEN = "open"
    CLOSED = "closed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskKind(StrEnum):
    """``blind``: a question that people answer apart; ``adjudication``: a lead decides between their answers;
    ``assisted``: it was answered beside a suggestion, so its answers never certify gold.

    ``copy``: a blind question as one person of the roster gets it; ``injection``: an item whose answer is known, which
    one person gets as if it were a copy. ``review``: another lead decides an adjudication again, blind.
    """

    BLIND = "blind"
    ASSISTED = "assisted"
    ADJUDICATION = "adjudication"
    REVIEW = "review"
    COPY = "copy"
    INJECTION = "injection"

    @property
    def form(self) -> TaskKind:
        """The kind of the project, and so of the form, that a task of this kind lies in."""
        if self is TaskKind.REVIEW:
            return TaskKind.ADJUDICATION
        return TaskKind.BLIND if self in (TaskKind.COPY, TaskKind.INJECTION) else self


class TaskState(StrEnum):
    """A task's way to Label Studio and back. ``sending`` is committed before the POST, ``sent`` after it; ``answered``
    has all the answers it asked for and waits for a lead, or for settling."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    ANSWERED = "answered"
    SETTLED = "settled"
    WITHDRAWN = "withdrawn"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of content, immutable.

    ``item_id`` is derived from ``external_id`` (the caller's key). ``modality``: text, image or video. An image's or a
    video's ``media`` says where it is (a path below the media folder, a data: URI, a URL), and ``text`` is its caption
    or transcript, if any. ``content_hash`` is the SHA-256 (hex) of the UTF-8 text; of an image or a video that of its
    modality, media and text, since the media is read when it is scored and not before. ``policies`` names the policies
    it may be judged under; empty means all of them. ``author`` is the caller's own key for who wrote it, empty where
    unknown; nothing but selection reads it.
    """

    item_id: str
    external_id: str
    text: str
    content_hash: str
    modality: str = "text"
    language: str = "und"
    market: str = ""
    surface: str = ""
    views: int = 0
    created_at: datetime | None = None
    policies: tuple[str, ...] = ()
    media: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredItem:
    """An item as the ledger knows it: its identity, not its content."""

    item_id: str
    external_id: str
    content_hash: str
    lake_version: int
    modality: str = "text"


@dataclass(frozen=True, slots=True)
class Round:
    """One selection. ``plan`` is what was asked (budget, lanes, seed, quotas, thresholds; JSON-able);
    ``frame`` what could have been picked (counts, scorer version, lake version; JSON-able);
    ``notes`` stated fallbacks."""

    round_id: str
    state: RoundState
    seed: int
    plan: dict[str, object]
    frame: dict[str, object]
    scorer_version: str
    notes: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PickRow:
    """An item chosen by a lane for one policy. ``pi`` in (0, 1], or None: purposive, no population claim.
    ``probability`` is the scorer's at selection time, in [0, 1]."""

    round_id: str
    item_id: str
    policy_id: str
    lane: str
    pi: float | None
    probability: float
    group_id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A pick as a person sees it in Label Studio. ``task_id`` is opaque and random: it is all a blind task shows
    beside ``text``. ``content_hash`` guards against edits on the other side; of an image it is the SHA-256 (hex) of the
    media's bytes as they were when it was picked, and ``text`` is its caption. ``parent_task_id`` is set on an
    adjudication task (the blind task it decides), on a copy (the blind task it asks), and on an assisted task whose
    pick is also asked blind.

    A blind task with copies is never sent itself: it is ``sent`` while its copies are about. ``assignee`` is the e-mail
    address of the one person who may answer a copy or an injection, casefolded; "": anybody may. ``position``: a desk's
    tasks are sent in its order. ``exposure``: units that one look is expected to cost (``labeling.round_costs``).
    ``extra``: how many of ``overlap`` were added because the first answers left doubt."""

    task_id: str
    kind: TaskKind
    round_id: str
    item_id: str
    policy_id: str
    policy_version: str
    text: str
    content_hash: str
    overlap: int
    state: TaskState
    project_id: int | None
    studio_task_id: int | None
    parent_task_id: str | None
    error: str
    created_at: datetime
    updated_at: datetime
    prompt: str = ""  # adjudication: the anonymised answers, as the lead reads them; assisted: the suggestion, as JSON
    precedents: str = ""  # adjudication only: how the nearest golden items were decided
    assignee: str = ""
    position: int = 0
    exposure: float = 0.0
    extra: int = 0
    modality: str = "text"


@dataclass(frozen=True, slots=True)
class Unsent:
    """How many ``tasks`` of one group are queued, or on their way, to Label Studio."""

    round_id: str
    policy_id: str
    policy_version: str
    kind: TaskKind
    assignee: str
    tasks: int
    modality: str = "text"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person said: outcome, and when it violates the rule and severity.

    ``confidence`` is 1..5 or None. ``verdict`` and ``cause`` are a lead's: what kind of answer it is, and why the
    annotators differed.
    """

    outcome: Outcome
    rule: str | None = None
    severity: int | None = None
    confidence: int | None = None
    rationale: str = ""
    verdict: Verdict | None = None
    cause: Cause | None = None


class Origin(StrEnum):
    """What an answer made of the suggestion beside it: ``taken`` over, ``changed``, or made ``anew`` (also where there
    was none). ``unknown``: whoever sent it did not say, as over the API. Label Studio's word for it, not a proof."""

    UNKNOWN = ""
    TAKEN = "taken"
    CHANGED = "changed"
    ANEW = "anew"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One person's current answer to a task (the newest event of that Label Studio annotation).

    ``annotator`` is the account's e-mail; ``updated_by`` whoever really wrote it, as Label Studio tells.
    """

    task_id: str
    studio_annotation_id: int
    annotator: str
    updated_by: str
    answer: Answer
    lead_time_s: float | None
    studio_updated_at: datetime
    origin: Origin = Origin.UNKNOWN


class EventKind(StrEnum):
    """What happened to an annotation in Label Studio."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    SKIPPED = "skipped"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class AnnotationEvent:
    """Appended for each thing seen; never changed. ``answer`` is None for deleted, skipped and invalid ones.

    The identity of an event is (task_id, studio_annotation_id, kind, studio_updated_at): seeing it again is a no-op.
    """

    task_id: str
    studio_annotation_id: int
    kind: EventKind
    annotator: str
    updated_by: str
    answer: Answer | None
    lead_time_s: float | None
    studio_updated_at: datetime
    detail: str = ""
    origin: Origin = Origin.UNKNOWN


@dataclass(frozen=True, slots=True)
class Adjudication:
    """The final answer for an item under a policy, how it was reached, and the votes it came from.

    ``votes`` maps ``outcome`` or ``outcome/rule`` to the number of people who said so (the soft label).
    ``annotators`` are those whose votes count; ``adjudicator`` decided between them, or is empty. ``verdict`` and
    ``cause`` are the adjudicator's.
    """

    adjudication_id: str
    task_id: str
    round_id: str
    item_id: str
    policy_id: str
    policy_version: str
    answer: Answer
    how: How
    votes: dict[str, int]
    annotators: tuple[str, ...]
    adjudicator: str
    created_at: datetime
    verdict: Verdict | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class GoldenItem:
    """An adjudicated item in the golden set, with everything an export needs (text copy included). Of an image,
    ``text`` is the caption and ``content_hash`` that of the media's bytes; the media itself stays where it is.
    ``caption_hash``: the SHA-256 (hex) of an image's caption, of an empty one too; "" of a text.

    ``salt``: 128 random bits (hex) that the row's hashes cover, so that nobody can tell from a hash which content it
    was made of once row and salt are erased; "" in rows that were made without.
    """

    item_id: str
    external_id: str
    policy_id: str
    policy_version: str
    text: str
    content_hash: str
    language: str
    outcome: Outcome
    rule: str | None
    severity: int | None
    how: How
    votes: dict[str, int]
    tier: Tier
    state: GoldState
    partition: Partition
    group_id: str
    round_id: str
    lane: str
    pi: float | None
    adjudication_id: str
    folded_at: datetime
    verdict: Verdict | None = None
    cause: Cause | None = None
    modality: str = "text"
    salt: str = ""
    caption_hash: str = ""


@dataclass(frozen=True, slots=True)
class LegalStop:
    """The stub of an item that somebody stopped for legal reasons; the ledger keeps nothing of its content.

    ``who`` answered ``legal_stop`` to ``task_id``; a copy of the content under another ``external_id`` has a stub of
    its own. ``purged_at``: when the lake had let it go. A lead who finds the flag wrong lifts it, with a ``reason``.
    """

    stop_id: str
    item_id: str
    external_id: str
    content_hash: str
    policy_id: str
    policy_version: str
    round_id: str
    task_id: str
    who: str
    at: datetime
    purged_at: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """A task that must not stay in a Label Studio project, and since when that is known."""

    task_id: str
    project_id: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class GoldenVersion:
    """An immutable release. ``manifest_path`` names the JSONL manifest; ``merkle_root`` (hex) commits to its rows.
    ``counts`` maps partition -> rows. ``events`` and ``events_sha256``: the head of the event chain at that moment.

    ``derived`` counts the manifests that were made of it since, without the content of what was erased; the path is
    the newest one's. Where it ``needs_approval``, it is proposed until somebody other than its ``author`` approves it
    (``decision``).
    """

    version: str
    parent: str | None
    merkle_root: str
    manifest_path: str
    counts: dict[str, int]
    created_at: datetime
    author: str = ""
    needs_approval: bool = False
    events: int = 0
    events_sha256: str = ""
    decision: str = ""
    decided_by: str = ""
    derived: int = 0

    @property
    def name(self) -> str:
        """The version with its erasures: ``1.0.0+e2`` after two of them, under the same Merkle root."""
        return f"{self.version}+e{self.derived}" if self.derived else self.version

    @property
    def state(self) -> VersionState:
        """Where it stands."""
        if self.decision == GoldAction.REJECTED:
            return VersionState.REJECTED
        waits = self.needs_approval and self.decision != GoldAction.APPROVED
        return VersionState.PROPOSED if waits else VersionState.RELEASED


@dataclass(frozen=True, slots=True)
class StudioProject:
    """A Label Studio project Goldfold made: one per (policy version, kind, assignee, modality).

    ``assignee``: whose desk it is, by e-mail address; "": everybody's. ``desk``: that person's number, which the
    project shows instead of the address; 0 where it is everybody's. ``relinked_at``: when the links of its images were
    last looked through, by Goldfold's clock.
    """

    project_id: int
    base_url: str
    policy_id: str
    policy_version: str
    kind: TaskKind
    config_sha256: str
    watermark: datetime | None
    created_at: datetime
    assignee: str = ""
    desk: int = 0
    modality: str = "text"
    relinked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the roster, to whom Goldfold hands out blind work.

    ``email``: their account in Label Studio, casefolded. ``desk``: their number, 1 and up; never given again.
    ``languages``: what they read, as items name them (``pt`` covers ``pt-BR``); empty: anything. ``opt_outs``: policies
    they are not asked about. ``daily_exposure``: units a day, ``severe_in_row``: severe items in a row; None: as the
    settings say. Who is not ``active`` has left: what they did not answer goes to others. Who is ``paused`` gets
    nothing new until a lead resumes them; ``reviewed_at`` is when one last did. The blind answers of an ``expert`` can
    make an anchor.
    """

    email: str
    name: str
    desk: int
    active: bool
    languages: tuple[str, ...]
    opt_outs: tuple[str, ...]
    daily_exposure: float | None
    severe_in_row: int | None
    paused: bool
    paused_reason: str
    reviewed_at: datetime | None
    created_at: datetime
    expert: bool = False


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An access key; only ``key_hash`` is kept. Roles in rising order: annotator, viewer, engineer, lead, admin."""

    key_id: str
    name: str
    role: str
    key_hash: str
    created_at: datetime
    revoked_at: datetime | None = None
