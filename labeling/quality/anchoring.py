"""How far suggestions pull answers: the same items, answered beside a suggestion by some people and blind by others.

The shift is P(answer = suggestion | assisted) - P(answer = suggestion | blind), in [-1, 1]; 0: suggestions pull nobody.
An item counts once on either side, however many answered it: its share of answers that are the suggestion. So n is a
number of items, and Newcombe's interval (1998, method 10) takes the two sides for independent. As they are about the
same items they go together, which makes the interval too long rather than too short. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, newcombe


@dataclass(frozen=True, slots=True)
class Said:
    """One answer to an item under a policy: by whom, beside the suggestion or blind, and whether it ``follows`` it."""

    item_id: str
    policy_id: str
    person: str
    assisted: bool
    follows: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """``assisted`` and ``blind``: share of the n items' answers that are the suggestion, each in [0, 1]; with ``shift``
    None while n is too few, when only the ends are there."""

    n: int
    assisted: float | None
    blind: float | None
    shift: float | None
    low: float
    high: float
    verdict: str

    @property
    def pulls(self) -> bool:
        """Whether suggestions surely pull: the whole interval lies above 0."""
        return self.shift is not None and self.low > 0


def shift(answers: Iterable[Said]) -> Shift:
    """Over the items that are answered both ways, by different people."""
    pairs = list(_pairs(answers).values())
    n = len(pairs)
    if n == 0:
        return Shift(0, None, None, None, -1.0, 1.0, INSUFFICIENT)
    beside, blind = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    gap, (low, high) = newcombe(min(beside, n), n, min(blind, n), n)
    if n <= FEW:
        return Shift(n, None, None, None, low, high, INSUFFICIENT)
    return Shift(n, beside / n, blind / n, gap, low, high, ENOUGH)


def by_person(answers: Sequence[Said]) -> dict[tuple[str, str], Shift]:
    """(person, policy) -> the shift of that person's assisted answers against others' blind ones to the same items."""
    people = sorted({(said.person, said.policy_id) for said in answers if said.assisted})
    return {
        (person, policy): shift(
            said for said in answers if said.policy_id == policy and (said.person == person or not said.assisted)
        )
        for person, policy in people
    }


def by_policy(answers: Sequence[Said]) -> dict[str, Shift]:
    """policy -> the shift over everybody."""
    policies = sorted({said.policy_id for said in answers if said.assisted})
    return {policy: shift(said for said in answers if said.policy_id == policy) for policy in policies}


def _pairs(answers: Iterable[Said]) -> dict[tuple[str, str], tuple[float, float]]:
    """(item, policy) -> shares of its assisted and its blind answers that follow. Who answered both ways is no witness
    of either: their blind answer is remembered, so their assisted one is left out."""
    sides: dict[tuple[str, str], tuple[list[Said], list[Said]]] = defaultdict(lambda: ([], []))
    for said in answers:
        sides[said.item_id, said.policy_id][0 if said.assisted else 1].append(said)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for key, (beside, blind) in sides.items():
        witnesses = {said.person for said in blind}
        kept = [said for said in beside if said.person not in witnesses]
        if kept and blind:
            found[key] = (_share(kept), _share(blind))
    return found


def _share(answers: Sequence[Said]) -> float:
    return sum(said.follows for said in answers) / len(answers)
