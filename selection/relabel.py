"""Relabel or new? What one more answer is worth, for a pair that nobody has judged and for one that has a label: one
scale, so that the two compete.

After ActiveLab (Goh and Mueller 2023, "ActiveLab: Active Learning with Re-Labeling by Multiple Annotators", with the
weights of CROWDLAB, Goh et al. 2022), for one yes-or-no question a policy. How far a label can be trusted, from 0 to 1,
is an average of three voices::

    base   = (w_M p + w / 2) / (w_M + w)
    trust  = ((w_M + w) base + sum_agreeing w_j max(P, base) + sum_others w_j min(1 - P, base))
             / (w_M + w + sum_j w_j)
    worth  = 2 (1 - trust) severity / largest severity

``p``: what the model gives the label (of an unlabelled pair: the likelier answer), moved so that the policy's operating
threshold is 0.5; ``w_M``: the model's weight; ``w``: a person's mean weight, with which nobody's opinion, 1/2, counts;
``w_j``: the weight of each person who answered; ``P``: how often an answer is right. Of an unlabelled pair ``trust`` is
``base``, so its worth is 1 at the boundary and less elsewhere; a label that the model contradicts may be worth more.

Where this departs from the source, which takes ``P`` and ``1 - P`` as they are: there an agreeing answer can lower the
trust in a label that the model is surer of than people are. Here it never does, nor does one against it raise it. And
the model counts for one person at most: three who agree outweigh it, however sure it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from selection.errors import BadPool
from selection.hashing import F64
from selection.types import F32, Bool

Rows = npt.NDArray[np.int64]

UNKNOWN = -1  # a person whose other answers are not known: counts as the mean does
ACCURACY = 0.85  # assumed of an answer until FEW pairs have two answers
ACCURACIES = (0.7, 0.98)  # bounds of what is found
PRIOR_ANSWERS = 20  # answers of that accuracy that the estimate starts with
PRIOR_MEETINGS = 10  # comparisons at the common agreement that every person starts with
FEW = 20
LEAST_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class SecondLooks:
    """m labelled pairs that may be looked at again, no pair twice, each item in the pool.

    ``ids`` (m); ``policies`` (m,) the pool's column; ``answers`` (m,) the label: does it violate; ``probabilities``
    (m,) in [0, 1] that it violates, by a model that has not learnt this label, 0.5 at the operating threshold;
    ``groups`` (m,) equal for near-duplicates; ``minutes`` (m,) what a second look costs, None where nobody counts. The
    answers behind the labels, v of them: ``pairs`` (v,) to which of the m, ``people`` (v,) by whom, ``UNKNOWN`` where
    that says nothing, ``agree`` (v,) with the label or not."""

    ids: tuple[str, ...]
    policies: Rows
    answers: Bool
    probabilities: F64
    groups: Rows
    pairs: Rows
    people: Rows
    agree: Bool
    minutes: F32 | None = None

    def __post_init__(self) -> None:
        """Raises BadPool naming the field that does not fit."""
        m, v = len(self.ids), len(self.pairs)
        for name, length in {
            "policies": m,
            "answers": m,
            "probabilities": m,
            "groups": m,
            "people": v,
            "agree": v,
        }.items():
            if getattr(self, name).shape != (length,):
                raise BadPool(f"second looks: {name}: expected ({length},), found {getattr(self, name).shape}")
        if not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():
            raise BadPool("second looks: probabilities: expected numbers from 0 to 1")
        if v and not (self.pairs.min() >= 0 and self.pairs.max() < m):
            raise BadPool(f"second looks: pairs: expected rows from 0 to {m - 1}")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def votes(self) -> Rows:
        """(m,) how many answers each label rests on."""
        return np.bincount(self.pairs, minlength=len(self)).astype(np.int64)

    @property
    def agreeing(self) -> Rows:
        """(m,) how many of them agree with it."""
        return np.bincount(self.pairs[self.agree], minlength=len(self)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Voices:
    """How much everybody counts: ``model`` (w_M) and ``mean`` (w) above 0, ``people`` w_j by number, ``accuracy`` P.
    ``known`` is False where too few pairs have two answers, so that nothing was measured."""

    model: float
    mean: float
    people: F64
    accuracy: float
    known: bool

    def of(self, people: Rows) -> F64:
        """(v,) the weight of each answer."""
        return np.append(self.people, self.mean)[people]  # UNKNOWN is -1, the last


def voices(looks: SecondLooks) -> Voices:
    """CROWDLAB's weights: agreement beyond what the commonest answer of a policy would have by itself. People are held
    against those who answered the same pair, the model against labels with two answers or more. Kept within
    [``LEAST_WEIGHT``, 1], since under a rare policy both may seem worse than always saying no. Where fewer than ``FEW``
    pairs have two answers, everybody counts alike and an answer is right in ``ACCURACY`` of the cases."""
    count = int(looks.people.max(initial=-1)) + 1
    told = looks.people != UNKNOWN
    pairs, people, agree = looks.pairs[told], looks.people[told], looks.agree[told]
    votes = np.bincount(pairs, minlength=len(looks))
    many = votes >= 2
    if int(many.sum()) < FEW:
        return Voices(1.0, 1.0, np.ones(count), ACCURACY, known=False)
    kept = many[pairs]
    pairs, people, agree = pairs[kept], people[kept], agree[kept]
    right = np.bincount(pairs, weights=agree, minlength=len(looks))
    peers = np.where(agree, right[pairs], votes[pairs] - right[pairs]) - 1.0
    met, alike = np.bincount(people, votes[pairs] - 1.0, count), np.bincount(people, peers, count)
    common = float(alike.sum() / met.sum())
    slips = 1.0 - (alike + PRIOR_MEETINGS * common) / (met + PRIOR_MEETINGS)
    idle = _idle_slips(looks, pairs, agree)
    weights = _beyond(slips, idle)
    mean = float(weights[np.bincount(people, minlength=count) > 0].mean())
    missed = float(((looks.probabilities[many] > 0.5) != looks.answers[many]).mean())
    model = float(_beyond(np.array([missed]), idle)[0]) * float(np.sqrt(votes[votes > 0].mean()))
    found = (float(agree.sum()) + PRIOR_ANSWERS * ACCURACY) / (len(agree) + PRIOR_ANSWERS)
    return Voices(min(model, mean), mean, weights, float(np.clip(found, *ACCURACIES)), known=True)


def worth_new(probabilities: F64, found: Voices) -> F64:
    """(n,) in (0, 1], before severities, from (n,) probabilities at the operating threshold."""
    likelier = np.maximum(probabilities, 1.0 - probabilities)
    return 2.0 * (1.0 - _base(likelier, found))


def worth_again(looks: SecondLooks, found: Voices) -> F64:
    """(m,) in (0, 2), before severities."""
    base = _base(np.where(looks.answers, looks.probabilities, 1.0 - looks.probabilities), found)
    weights, before = found.of(looks.people), base[looks.pairs]
    spoken = np.where(looks.agree, np.maximum(found.accuracy, before), np.minimum(1.0 - found.accuracy, before))
    own = found.model + found.mean
    top = own * base + np.bincount(looks.pairs, weights * spoken, len(looks))
    return 2.0 * (1.0 - top / (own + np.bincount(looks.pairs, weights, len(looks))))


def _base(probabilities: F64, found: Voices) -> F64:
    return (found.model * probabilities + found.mean / 2.0) / (found.model + found.mean)


def _beyond(slips: F64, idle: float) -> F64:
    return np.clip(1.0 - slips / idle, LEAST_WEIGHT, 1.0)


def _idle_slips(looks: SecondLooks, pairs: Rows, agree: Bool) -> float:
    """How often the commonest answer of each policy is not what people say; never 0."""
    said = np.where(agree, looks.answers[pairs], ~looks.answers[pairs])
    columns = looks.policies[pairs]
    total, yes = np.bincount(columns), np.bincount(columns, weights=said)
    return max(float(np.minimum(yes, total - yes).sum() / total.sum()), 1e-6)
