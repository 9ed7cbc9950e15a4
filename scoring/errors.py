"""Errors of the scoring room.

ScoringError
├── ModelNotFound   no such folder, or weights that are not on this machine while the hub cannot be asked
├── ModelRefused    a model file that is unsafe, damaged, or not what it claims to be
├── ModelExists     a folder that holds another model already; saved models are never overwritten
├── ModelNotSaved   a model that could not be written (disk full, no permission)
├── ModelFailed     a model that fails on every item it is given
├── LabelMapError   a map between a model's labels and policies that does not fit either side
├── DeviceError     a device that is unknown, absent or broken
├── BadImage        an image file that is broken, too large, or of a format that is not read
├── BadVideo        a video file that is broken, too large, or of a format that is not read
├── RemoteUnreachable  a remote service that does not answer, or answers as one in trouble
├── RemoteRefused      a remote service that refuses the key, the model or the request, or answers in another form
└── NotTrainable    too few labels to train any policy
"""

from __future__ import annotations


class ScoringError(Exception):
    """Root of the room's errors; the message is one sentence a user can act on."""


class ModelNotFound(ScoringError):
    """The model's files are not on this machine; the message says how to fetch them."""


class ModelRefused(ScoringError):
    """The model's files are unsafe, damaged or incomplete; the message names the file."""


class ModelExists(ScoringError):
    """The folder holds another model; choose another one, since saved models are never overwritten."""


class ModelNotSaved(ScoringError):
    """The model could not be written; the message says why."""


class ModelFailed(ScoringError):
    """The model fails on every item, so the fault is its own and not the items'."""


class LabelMapError(ScoringError):
    """The label map names labels the model lacks, or leaves a policy without label; the message names them."""


class DeviceError(ScoringError):
    """The device is unknown, absent or broken."""


class BadImage(ScoringError):
    """The image file is broken, too large or of a format that is not read; the message says which."""


class BadVideo(ScoringError):
    """The video file is broken, too large or of a format that is not read; the message says which."""


class RemoteUnreachable(ScoringError):
    """The remote model does not answer, or answers as a service in trouble; run it again when it is back."""


class RemoteRefused(ScoringError):
    """The remote model refuses the key, the model's name or the request, or answers in another form than expected."""


class NotTrainable(ScoringError):
    """No policy has enough labels to train on; the message has the counts."""
