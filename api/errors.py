"""Errors of the api room, and the HTTP status of every error of every room.

ApiError
├── Unauthenticated   no API key, or one that is not valid
├── SignInRefused     the identity provider's answer does not hold
├── ProviderDown      the identity provider does not answer
├── Forbidden         a valid key whose role may not do this
├── FigurePending     a chart was asked for whose figures are still being computed
├── NotReady          something the service needs is missing; names it and the cure
├── QueueFull         more texts wait for the online scorer than it can score in time
├── DeadlinePassed    a request for scores was not done by its deadline
├── ScorerLoading     the online scorer's model is still being loaded
├── ScorerDown        the online scorer's worker died or stalled, or the service is ending
└── BatchFailed       the scorer raised something unexpected on a request for scores

Each room's tree stands at the top of its own ``errors.py``; docs/errors.md lists them all.
"""

from __future__ import annotations

import re

from api.jobs.errors import JobCancelled, JobConflict, JobError, JobUnknown
from configs.errors import SettingsError
from labeling import errors as labeling
from scoring import errors as scoring
from selection import errors as selection


class ApiError(Exception):
    """Root of the room's errors; the message is one sentence a user can act on."""

    retry_after_s: int | None = None  # when the same request may succeed; becomes the header Retry-After


class _Passing(ApiError):
    """One that goes away by itself."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unauthenticated(ApiError):
    """No API key was given, or it is not valid (any more); send Authorization: Bearer gf_..."""


class SignInRefused(ApiError):
    """The identity provider's answer does not hold; the message says why. Begin the sign-in again at the console."""


class Forbidden(ApiError):
    """The key's role may not do this; ask an admin for a key with the role that the message names."""


class FigurePending(_Passing):
    """The chart's figures are still being computed; ask for it again after Retry-After seconds."""


class NotReady(ApiError):
    """Something the service needs is missing; ``problems`` names each check that fails and its cure."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class ProviderDown(_Passing):
    """The identity provider does not answer; sign in with an API key meanwhile, or try again after a while."""


class QueueFull(_Passing):
    """More texts wait than the scorer can score in time; send the request again after Retry-After seconds."""


class DeadlinePassed(ApiError):
    """Not all texts were scored by the request's deadline; send fewer at once, or a longer deadline_ms."""


class ScorerLoading(_Passing):
    """The scorer's model is being loaded; send the request again after Retry-After seconds."""


class ScorerDown(_Passing):
    """The scorer's worker died or stalled, or the service is ending; send the request again after Retry-After s."""


class BatchFailed(ApiError):
    """The scorer raised something unexpected on this request's texts; the service's log says what."""


ROOTS: tuple[type[Exception], ...] = (
    ApiError,
    JobError,
    SettingsError,
    labeling.LabelingError,
    scoring.ScoringError,
    selection.SelectionError,
)

# 4xx: the caller can mend it. 500: Goldfold or its set-up is wrong. 502, 503: something it needs is.
STATUSES: dict[type[Exception], int] = {
    ApiError: 500,
    Unauthenticated: 401,
    SignInRefused: 401,
    ProviderDown: 503,
    Forbidden: 403,
    FigurePending: 503,
    NotReady: 503,
    QueueFull: 429,
    DeadlinePassed: 504,
    ScorerLoading: 503,
    ScorerDown: 503,
    JobError: 500,
    JobCancelled: 409,
    JobUnknown: 404,
    JobConflict: 409,
    SettingsError: 500,
    labeling.LabelingError: 500,
    labeling.InvalidInput: 422,
    labeling.DuplicateItem: 409,
    labeling.NotFound: 404,
    labeling.LinkRefused: 401,
    labeling.Conflict: 409,
    labeling.NothingToDo: 409,
    labeling.BudgetSpent: 409,
    labeling.AnswersLeft: 503,
    labeling.NotGated: 409,
    labeling.LeakError: 409,
    labeling.IntegrityError: 500,
    labeling.StoreError: 503,
    labeling.MirrorError: 502,
    labeling.MirrorUnreachable: 503,
    labeling.StudioError: 502,
    labeling.StudioUnreachable: 503,
    scoring.ScoringError: 500,
    scoring.ModelNotFound: 503,
    scoring.ModelExists: 409,
    scoring.ModelNotSaved: 503,
    scoring.DeviceError: 503,
    scoring.BadImage: 422,
    scoring.BadVideo: 422,
    scoring.RemoteUnreachable: 503,
    scoring.RemoteRefused: 502,
    scoring.NotTrainable: 409,
    scoring.LossTooHigh: 409,
    selection.SelectionError: 500,
    selection.BadPlan: 422,
    selection.EmptyFrame: 409,
    selection.BudgetTooLarge: 422,
    selection.NoLicence: 422,
    selection.BadSample: 422,
    selection.NotFitted: 409,
}


def status_of(error: type[Exception]) -> int:
    """The status of the nearest class of the error's MRO that has one. Raises LookupError when none has."""
    for cls in error.__mro__:
        if cls in STATUSES:
            return STATUSES[cls]
    raise LookupError(f"{error.__name__} belongs to no room: give it a room's root as base, or a status")


def slug(error: type[Exception]) -> str:
    """``DuplicateItem`` -> ``duplicate-item``: the last part of a problem's ``type``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", error.__name__).lower()
