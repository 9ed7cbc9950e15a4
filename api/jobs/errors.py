"""Errors of the jobs.

JobError
├── JobFailed      a job ended in an error; the message is that error's, ``cause`` its class name
├── JobCancelled   a job was cancelled; the same id started again goes on where it stopped
├── JobUnknown     no job has that id
└── JobConflict    that id is taken by a job of another kind or with other input
"""

from __future__ import annotations


class JobError(Exception):
    """Root of the jobs' errors."""


class JobFailed(JobError):
    """A job ended in an error; start the same id again when the cause is mended, and it goes on from there."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class JobCancelled(JobError):
    """A job was cancelled; the same id started again goes on where it stopped."""


class JobUnknown(JobError):
    """No job has that id."""


class JobConflict(JobError):
    """That id is taken by a job of another kind or with other input; choose another id."""
