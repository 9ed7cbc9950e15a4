"""Errors of the labeling room.

LabelingError
├── InvalidInput            content or answers that break a rule; names the field and the row
│   ├── PolicyError         a policy file that breaks a rule, or was edited under a published version
│   ├── SopError            a decision tree that breaks a rule, or cannot be walked
│   ├── DuplicateItem       an external_id that is there already with other content
│   └── BadMedia            an item's media that may not, or cannot, be read
├── LinkRefused             a link to an image that is none of ours, ran out, or leads to nothing any more
├── NotFound                an id nobody knows
│   └── UnknownItem         item ids that are not in the lake
├── Conflict                the same id again, meaning something else
│   └── PlanOutdated        the lake was compacted, or rows were deleted, under a scoring run that had planned
├── NothingToDo             a step without input (no labels yet, an empty frame)
│   └── TooLittleGold       what is left of a partition cannot answer: all of one kind, or too few
├── BudgetSpent             a model family that has asked the sealed partition as often as it may
├── AnswersLeft             a run of a remote judge that ended before every question was answered
├── NotGated                a promotion without a passing verdict of the gate
├── LeakError               a training export that would hold evaluation items, or near-duplicates of them
├── IntegrityError          a hash that does not match what was published
├── ShardsLeft              a run over many workers that left some of its shards undone
├── MirrorError             the mirror of the registry in MLflow cannot be brought up to date
│   ├── MirrorUnreachable   no answer, or an answer of a server in trouble
│   └── MirrorRefused       it said no, and says why
├── StoreError              the lake or the ledger cannot be read or written (disk full, locked, gone)
└── StudioError             Label Studio cannot be used
    ├── StudioUnreachable   no answer, or an answer of a server in trouble
    ├── StudioUnauthorized  the token is wrong, or its kind is turned off
    ├── StudioGone          a project or task was deleted there by hand
    └── StudioRefused       it said no, and says why
        └── FormEdited      somebody changed a labelling form there
"""

from __future__ import annotations


class LabelingError(Exception):
    """Root of the room's errors; the message is one sentence a user can act on."""


class InvalidInput(LabelingError):
    """Input breaks a rule; the message names the field and the row, ``problems`` lists every one found."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class PolicyError(InvalidInput):
    """A policy file breaks a rule, or its text is not that of its published version; the message names both and the
    cure."""


class SopError(InvalidInput):
    """A file of a decision tree breaks a rule, or the tree cannot be walked; the message names the file and the key."""


class DuplicateItem(InvalidInput):
    """An external_id is there already with other content; items are immutable, so use another id."""


class BadMedia(InvalidInput):
    """An item's media may not, or cannot, be read; the message says why and what to do. ``passing``: for want of a
    setting, a file or a server, so that the same media may be read another time."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class NotFound(LabelingError):
    """Nothing has that id."""


class LinkRefused(LabelingError):
    """The link opens nothing, or not any more; ask for a new one."""


class UnknownItem(NotFound):
    """Item ids that the lake does not hold."""


class Conflict(LabelingError):
    """That id is taken by something else; use another id."""


class PlanOutdated(Conflict):
    """The lake was compacted, or rows were deleted, since a scoring run planned; it plans again by itself."""


class NothingToDo(LabelingError):
    """The step has no input yet; the message says what must come first."""


class TooLittleGold(NothingToDo):
    """What is left of a golden partition cannot answer the question: its labels are all of one kind, or too few; label
    more and publish."""


class BudgetSpent(LabelingError):
    """A model family has asked the sealed partition as often as the setting sealed_budget allows."""


class AnswersLeft(LabelingError):
    """A run of a remote judge ended before every question was answered; what was answered is kept, so run it again.
    ``is_paused``: nothing was wrong, the process had to end or to show that it lives."""

    def __init__(self, message: str, *, is_paused: bool = False) -> None:
        super().__init__(message)
        self.is_paused = is_paused


class NotGated(LabelingError):
    """A promotion without a passing verdict of the gate for this very model, champion and golden version."""


class LeakError(LabelingError):
    """A training export would hold an evaluation item or a near-duplicate; the message names the pairs."""


class IntegrityError(LabelingError):
    """Something published does not match its hash; the message names it, ``problems`` lists every one found."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class StoreError(LabelingError):
    """The lake or the ledger cannot be read or written; the message says why and what to do."""


class ShardsLeft(LabelingError):
    """A run over many workers left shards undone; ``problems`` has the reason of each, and what is done stays done."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems or (message,)


class MirrorError(LabelingError):
    """The mirror of the registry in MLflow cannot be brought up to date; the registry itself is not touched by that."""


class MirrorUnreachable(MirrorError):
    """MLflow does not answer, or answers as a server in trouble; `goldfold models mirror` catches up later."""


class MirrorRefused(MirrorError):
    """MLflow refused a request; the message holds its reason."""


class StudioError(LabelingError):
    """Label Studio cannot be used."""


class StudioUnreachable(StudioError):
    """Label Studio does not answer, or answers as a server in trouble; work goes on when it is back."""


class StudioUnauthorized(StudioError):
    """Label Studio refuses the token."""


class StudioGone(StudioError):
    """A project or task was deleted in Label Studio by hand."""


class StudioRefused(StudioError):
    """Label Studio refused a request; the message holds its reason."""


class FormEdited(StudioRefused):
    """A labelling form was edited in Label Studio, so its answers are not read; undo it there, or let Goldfold put its
    form back (goldfold studio repair)."""
