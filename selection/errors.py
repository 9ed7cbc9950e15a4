"""Errors of the selection room.

SelectionError
├── BadPool          scores, vectors or ids that break a rule; names the field, the row and the item
├── BadPlan          a plan that contradicts itself or the pool; names the field
├── EmptyFrame       nothing can be picked
├── BudgetTooLarge   more picks asked for than the frame holds
├── NoLicence        a population figure asked of picks whose inclusion probability is unknown
├── BadSample        answers or inclusion probabilities that no estimate can be made of
└── NotFitted        a model that has not been trained was asked what it is unsure of
"""

from __future__ import annotations


class SelectionError(Exception):
    """Root of the room's errors; the message is one sentence a user can act on."""


class BadPool(SelectionError):
    """The pool breaks a rule; the message names the field, the row and the item."""


class BadPlan(SelectionError):
    """The plan contradicts itself or the pool; the message names the field."""


class EmptyFrame(SelectionError):
    """No item is left that could be picked under any policy."""


class BudgetTooLarge(SelectionError):
    """The budget asks for more picks than the frame holds; the message names both numbers."""


class NoLicence(SelectionError):
    """A population figure was asked of picks that were chosen on purpose, so they cannot speak for the population."""


class BadSample(SelectionError):
    """Answers or inclusion probabilities break a rule; the message names the row."""


class NotFitted(SelectionError):
    """The model has not been trained, so it has no uncertainty yet; fit it first."""
