"""How the next round's budget is shared out among its lanes, by what they brought before: advice, taken on request.

A lane's yield is the share of its settled picks that became gold and either violate or are not what the model would
have decided. It is drawn towards the yield of all lanes together by ``PRIOR`` picks, so that a few answers move little.
Only gold of the partition ``train`` is looked at, so no item that judges a model moves a share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from labeling.quality.intervals import FEW
from labeling.records import Partition
from labeling.yields import ALL, RANDOM, Answers, closed_rounds, tally

PRIOR = 20  # picks at the common yield that every lane starts with
RANDOM_FLOOR = 0.1  # or its own share, where that is smaller
FLOOR = 0.5  # of a lane's own share


@dataclass(frozen=True, slots=True)
class Advice:
    """``lanes``: shares that add up to 1; ``base``: what they were tuned from; ``picks`` and ``useful`` by lane: what
    the yields were counted from; ``why`` in words."""

    lanes: dict[str, float]
    base: dict[str, float]
    picks: dict[str, int]
    useful: dict[str, int]
    why: str

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


def advise(stores: Answers, base: Mapping[str, float]) -> Advice:
    """Tune the shares of ``base`` by the yields of every closed round; ``base`` itself while a lane has ``FEW`` answers
    or fewer, or none of them was useful."""
    counts = tally(stores, closed_rounds(stores.rounds), (Partition.TRAIN,))
    found = {lane: counts.get((lane, ALL), Counter[str]()) for lane in sorted(base)}
    picks = {lane: count["settled"] for lane, count in found.items()}
    useful = {lane: count["useful"] for lane, count in found.items()}
    shares = dict(sorted(base.items()))
    few = [lane for lane, n in picks.items() if n <= FEW]
    if few:
        why = f"unchanged: {', '.join(few)} has {FEW} or fewer answers in the partition train of closed rounds"
        return Advice(shares, shares, picks, useful, why)
    if not any(useful.values()):
        return Advice(shares, shares, picks, useful, "unchanged: no lane brought a violation or a changed decision yet")
    tuned = _tuned(shares, picks, useful)
    told = ", ".join(f"{lane} {useful[lane]} of {picks[lane]}" for lane in shares)
    return Advice(tuned, shares, picks, useful, f"tuned by useful picks of the partition train: {told}")


def _tuned(base: Mapping[str, float], picks: Mapping[str, int], useful: Mapping[str, int]) -> dict[str, float]:
    common = sum(useful.values()) / sum(picks.values())
    worth = {lane: base[lane] * (useful[lane] + PRIOR * common) / (picks[lane] + PRIOR) for lane in base}
    floors = {lane: min(base[lane], RANDOM_FLOOR) if lane == RANDOM else FLOOR * base[lane] for lane in base}
    fixed: dict[str, float] = {}
    while True:
        left, free = 1.0 - sum(fixed.values()), [lane for lane in base if lane not in fixed]
        total = sum(worth[lane] for lane in free)
        shares = {**fixed, **{lane: left * worth[lane] / total for lane in free}}
        below = {lane: floors[lane] for lane in free if shares[lane] < floors[lane]}
        if not below:
            return dict(sorted(shares.items()))
        fixed |= below
