"""What a strategy may need beyond scores, and the refusal where it is not there."""

from __future__ import annotations

from selection.errors import BadPlan
from selection.strategies.base import Candidates, Labelled
from selection.types import F32


def labels(candidates: Candidates) -> Labelled:
    """What is labelled already. Raises BadPlan where nothing is."""
    if candidates.labelled is None or len(candidates.labelled.embeddings) == 0:
        raise BadPlan(
            "strategy: it learns from labelled items and there are none yet; "
            "label a first round with typiclust or threshold, or choose a strategy that needs no labels"
        )
    return candidates.labelled


def committee(candidates: Candidates) -> F32:
    """(c, m, k) the members' probabilities, c >= 2. Raises BadPlan where there is no committee."""
    if candidates.members is None or len(candidates.members) < 2:
        raise BadPlan(
            "strategy: it compares the members of a committee and the scores come from one model; "
            "score with an ensemble of two or more, or choose a strategy that needs no committee"
        )
    return candidates.members


CHECKS = {"labels": labels, "committee": committee}


def check_needs(name: str, needs: tuple[str, ...], candidates: Candidates) -> None:
    """Raise BadPlan naming the strategy, what it lacks and the cure."""
    for need in (need for need in needs if need in CHECKS):  # a missing disagreement is refused with the plan
        try:
            CHECKS[need](candidates)
        except BadPlan as error:
            raise BadPlan(str(error).replace("strategy: it", f"strategy: {name!r}", 1)) from error
