"""Is a challenger fit to replace the champion? Paired tests on golden items that neither has seen.

A slice counts the rows on which only one of the two is right. It is *not worse* when the hypothesis "lower by the
margin or more" is rejected (Nam 1997), and *worse* when the exact test of McNemar, adjusted over all slices (Holm
1979), says that the two differ. The verdict needs every slice to be not worse, so that claim needs no adjustment: a
challenger that is worse somewhere passes that slice, and so all of them, with a chance of ``ALPHA`` at most (Berger
1982). It is

- ``fail``: an anchor is decided wrongly, or a slice is worse and not shown to be within its margin;
- ``pass``: every slice is not worse;
- ``underpowered``: anything else; each slice that cannot tell says how many pairs would do, and a policy whose answers
  are stale, or all of one kind, says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.judging.slices import Cell, by_severity, cells, hidden
from labeling.quality.compare import holm, mcnemar, not_worse, paired_difference, pairs_needed
from labeling.quality.intervals import INSUFFICIENT, Figure, proportion
from labeling.records import GoldenItem

PASS, FAIL, UNDERPOWERED = "pass", "fail", "underpowered"
ALPHA, POWER = 0.05, 0.8
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Terms:
    """``margins``: severity to the most that the share of right decisions may be lower, in (0, 1); ``severities``:
    policy to its own severity; ``least``: rows of the smallest slice that is told."""

    margins: Mapping[int, float]
    severities: Mapping[str, int]
    least: int


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of the gate. ``n`` pairs; on ``wins`` only the challenger is right, on ``losses`` only the champion.
    ``difference``: of the shares that are right, challenger less champion, with its interval.
    ``p_differs``: of McNemar, adjusted; ``p_not_worse``: one-sided. ``needed``: pairs that would do, None where these
    do. An insufficient one has its name, n and margin; where it is a whole policy also ``needed``."""

    name: str
    n: int
    margin: float
    verdict: str
    wins: int | None = None
    losses: int | None = None
    champion_right: float | None = None
    challenger_right: float | None = None
    difference: Mapping[str, object] | None = None
    p_differs: float | None = None
    p_not_worse: float | None = None
    needed: int | None = None

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict, why, and the slices it rests on. ``needed``: pairs that the hungriest slice needs; None unless
    underpowered, and where no number would do, because a policy has no answers at all."""

    verdict: str
    reasons: tuple[str, ...]
    slices: tuple[Slice, ...]
    needed: int | None

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        told = {"verdict": self.verdict, "reasons": list(self.reasons), "needed": self.needed}
        return told | {"slices": [one.as_dict() for one in self.slices], "alpha": ALPHA, "power": POWER}


def rule(
    rows: Sequence[GoldenItem],
    champion: Bools,
    challenger: Bools,
    anchors: tuple[int, int],
    terms: Terms,
    lacking: Mapping[str, str] | None = None,
) -> Ruling:
    """``rows`` (n,): independent pairs (one a near-duplicate group); ``champion``, ``challenger`` (n,): who is right
    about each; ``anchors``: of how many, how many the challenger gets right. ``lacking``: policies of which what is
    left cannot tell, with or without rows here, and why; nothing is told of them, and they leave the verdict
    underpowered."""
    lacking = lacking or {}
    found = [*cells(rows, {"language": lambda row: row.language}), *by_severity(rows)]
    secret = hidden(found, terms.least) | {cell for cell in found if cell.policy in lacking}
    slices = _tested([(cell, _margin(cell, terms)) for cell in found], secret, champion, challenger, terms.least)
    unsure = {**dict.fromkeys(_unsure(found, secret), "too few sealed answers to tell"), **lacking}
    return _ruling(slices, unsure, anchors)


def _margin(cell: Cell, terms: Terms) -> float:
    severity = int(cell.value) if cell.dimension == "severity" else terms.severities[cell.policy]
    return terms.margins[severity]


def right_shares(told: Mapping[str, Any]) -> dict[str, Figure]:
    """A slice as a verdict holds it -> the share of its pairs that each side is right about; nothing of a slice that
    tells none. Copies are one pair, so the pairs are independent."""
    sides = {side: told.get(f"{side}_right") for side in ("challenger", "champion")}
    n = int(told["n"])
    return {side: proportion(round(share * n), n) for side, share in sides.items() if share is not None}


def _tested(
    found: Sequence[tuple[Cell, float]], secret: set[Cell], champion: Bools, challenger: Bools, least: int
) -> list[Slice]:
    told = [(cell, margin) for cell, margin in found if cell not in secret]
    counts = {cell: _counts(cell, champion, challenger) for cell, _ in told}
    differs = dict(zip((c for c, _ in told), holm([mcnemar(*counts[c]) for c, _ in told]), strict=True))
    slices = []
    for cell, margin in found:
        if cell in secret:
            needed = max(least, pairs_needed(margin, margin)) if cell.dimension == "all" else None
            slices.append(Slice(cell.name, len(cell.places), margin, INSUFFICIENT, needed=needed))
        else:
            slices.append(_slice(cell, margin, champion, challenger, differs[cell]))
    return slices


def _slice(cell: Cell, margin: float, champion: Bools, challenger: Bools, p_differs: float) -> Slice:
    (losses, wins), n = _counts(cell, champion, challenger), len(cell.places)
    places = list(cell.places)
    p = not_worse(wins, losses, n, margin)
    worse = losses > wins and p_differs <= ALPHA
    verdict = "not worse" if p <= ALPHA else "worse" if worse else "cannot tell"
    return Slice(
        name=cell.name,
        n=n,
        margin=margin,
        verdict=verdict,
        wins=wins,
        losses=losses,
        champion_right=float(champion[places].mean()),
        challenger_right=float(challenger[places].mean()),
        difference=_difference(wins, losses, n),
        p_differs=p_differs,
        p_not_worse=p,
        needed=_needed(wins, losses, n, margin) if verdict == "cannot tell" else None,
    )


def _difference(wins: int, losses: int, n: int) -> dict[str, object]:
    low, high = paired_difference(wins, losses, n)
    return {"value": (wins - losses) / n, "low": low, "high": high, "n": n, "method": "tango, paired"}


def _counts(cell: Cell, champion: Bools, challenger: Bools) -> tuple[int, int]:
    """(only the champion is right, only the challenger is)."""
    places = list(cell.places)
    first, second = champion[places], challenger[places]
    return int((first & ~second).sum()), int((second & ~first).sum())


def _needed(wins: int, losses: int, n: int, margin: float) -> int:
    """Pairs that show "not worse" with ``POWER`` if the two go on to differ as often as here, and by as much where that
    is within the margin, else not at all."""
    lower = max(0, losses - wins) / n
    reach = margin - lower if lower < margin else margin
    return max(pairs_needed(reach, max(wins + losses, 1) / n, POWER, ALPHA), n + 1)


def _unsure(found: Sequence[Cell], secret: set[Cell]) -> list[str]:
    """Policies with too few rows to say anything."""
    return [cell.policy for cell in found if cell.dimension == "all" and cell in secret]


def _ruling(slices: Sequence[Slice], unsure: Mapping[str, str], anchors: tuple[int, int]) -> Ruling:
    asked, right = anchors
    worse = [one.name for one in slices if one.verdict == "worse"]
    open_ = [one for one in slices if one.verdict == "cannot tell"]
    reasons = [f"{one}: worse than the champion" for one in worse]
    if right < asked:
        reasons.insert(0, f"{asked - right} of {asked} anchors are decided wrongly")
    if reasons:
        return Ruling(FAIL, tuple(reasons), tuple(slices), None)
    reasons = [f"{one.name}: cannot tell with {one.n} pairs; {one.needed} would do" for one in open_]
    reasons += [f"policy={policy}: {why}" for policy, why in sorted(unsure.items())]
    if reasons:
        needed = max((one.needed or 0 for one in slices), default=0)
        return Ruling(UNDERPOWERED, tuple(reasons), tuple(slices), needed or None)
    return Ruling(PASS, (), tuple(slices), None)
