"""What picks with known probability say of all traffic of their rounds' frames: prevalence, and the precision and
recall of the system that was running, each under its threshold of then.

Answers of the partitions ``sealed`` and ``anchor`` stay hidden. Which groups lie there was drawn by hash, whatever the
answer, so leaving them out changes every weight by the same factor, which cancels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeling.errors import NothingToDo
from labeling.figures import Origin, link
from labeling.golden.newest import newest_name
from labeling.golden.text import IMAGE, TEXT
from labeling.quality.evaluation import POPULATION
from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure, upper_bound
from labeling.records import Outcome, Partition, Round
from labeling.round_thresholds import thresholds_of
from labeling.store.interfaces import Golden, Rounds
from selection.errors import NoLicence
from selection.estimation import Estimate, hajek

ANSWERED, FLAGGED, VIOLATING = "answered", "flagged", "violating"  # which items are behind a figure
WHERE = "/v1/population/items"
TOLD = (Partition.TRAIN, Partition.CALIBRATION, Partition.DEV)
Json = dict[str, object]
Bools = npt.NDArray[np.bool_]


class PopulationStores(Protocol):
    """The part of the ledger that population figures read."""

    @property
    def rounds(self) -> Rounds: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A settled pick: its chance, whether it violates, and whether the system would have acted on it."""

    policy_id: str
    policy_version: str
    pi: float
    violates: bool
    flagged: bool
    item_id: str


def rounds_since(rounds: Rounds, since: datetime) -> list[Round]:
    """Those created at or after it, oldest first. Raises NothingToDo where there is none."""
    found = [one for one in rounds.all() if one.created_at >= since]
    if not found:
        raise NothingToDo(f"no round was created since {since.isoformat()}; name an earlier time, or a round")
    return found


def population_figures(stores: PopulationStores, rounds: Sequence[Round], lanes: Sequence[str] = ()) -> Json:
    """By policy ``prevalence``, ``precision`` and ``recall``, each with n, interval, effective n and licence, over the
    picks of some rounds (of ``lanes`` only, where these are named). ``golden_version``: the newest, though the answers
    are those of now. Strata are not told apart, which errs on the wide side.

    Raises NoLicence when a pick's probability is unknown, NothingToDo when no pick has an answer yet."""
    rows, counts = _rows(stores, rounds, lanes)
    if not rows:
        raise NothingToDo("no pick of these rounds has an answer that may be counted yet: run goldfold sync first")
    policies = sorted({row.policy_id for row in rows})
    golden = newest_name(stores.golden)
    return {
        "rounds": [one.round_id for one in rounds],
        "lanes": sorted(lanes),
        **counts,
        "policies": {
            p: _policy([row for row in rows if row.policy_id == p], golden, _where(rounds, lanes, p)) for p in policies
        },
    }


def population_items(
    stores: PopulationStores, rounds: Sequence[Round], lanes: Sequence[str], policy: str, part: str
) -> list[str]:
    """The items behind these figures under a policy ("": all), sorted: all that are ``answered``, or of these the
    ``flagged`` or the ``violating`` ones. Raises NoLicence."""
    rows = [row for row in _rows(stores, rounds, lanes)[0] if policy in ("", row.policy_id)]
    kept = {ANSWERED: rows, FLAGGED: [r for r in rows if r.flagged], VIOLATING: [r for r in rows if r.violates]}
    return sorted({row.item_id for row in kept[part]})


def _where(rounds: Sequence[Round], lanes: Sequence[str], policy: str) -> dict[str, str]:
    """By part, the path that names its items."""
    about = {"round_id": [one.round_id for one in rounds], "lane": sorted(lanes) or None, "policy": policy}
    return {part: link(WHERE, **about, part=part) for part in (ANSWERED, FLAGGED, VIOLATING)}


def _rows(
    stores: PopulationStores, rounds: Sequence[Round], lanes: Sequence[str]
) -> tuple[list[Judged], dict[str, int]]:
    final = {(a.round_id, a.item_id, a.policy_id): a for a in stores.golden.adjudications()}
    golden = {(row.item_id, row.policy_id): row for row in stores.golden.items()}
    rows, picked, withheld = [], 0, 0
    for round_ in rounds:
        taus = {kind: thresholds_of(round_.plan, kind) for kind in (TEXT, IMAGE)}
        for pick in stores.rounds.picks(round_.round_id):
            if lanes and pick.lane not in lanes:
                continue
            picked += 1
            if pick.pi is None:
                raise NoLicence(
                    f"pi: item {pick.item_id!r} was picked on purpose by the lane {pick.lane!r} of round "
                    f"{round_.round_id!r}, so these picks speak for no traffic: name the lanes of chance "
                    "(random, risk, stratified)"
                )
            answer = final.get((round_.round_id, pick.item_id, pick.policy_id))
            if answer is None or answer.answer.outcome not in (Outcome.VIOLATES, Outcome.ALLOWED):
                continue
            row = golden.get((pick.item_id, pick.policy_id))
            if row is None or row.partition not in TOLD:
                withheld += 1
                continue
            flagged = pick.probability >= taus[row.modality][pick.policy_id]
            violates = answer.answer.outcome is Outcome.VIOLATES
            rows.append(Judged(pick.policy_id, answer.policy_version, pick.pi, violates, flagged, pick.item_id))
    return rows, {"picks": picked, "settled": len(rows), "withheld": withheld}


def _policy(rows: Sequence[Judged], golden_version: str, where: Mapping[str, str]) -> Json:
    y = np.array([row.violates for row in rows], bool)
    flagged = np.array([row.flagged for row in rows], bool)
    pi = np.array([row.pi for row in rows], np.float64)
    versions = ", ".join(sorted({row.policy_version for row in rows}))
    origins = {part: Origin(POPULATION, golden_version, versions, items) for part, items in where.items()}
    precision = _told(hajek(y[flagged], pi[flagged])) if flagged.any() else _nothing()
    return {
        "prevalence": origins[ANSWERED].of(_told(hajek(y, pi))),
        "precision": origins[FLAGGED].of(precision),
        "recall": origins[VIOLATING].of(_recall(y, flagged, pi)),
    }


def _recall(y: Bools, flagged: Bools, pi: npt.NDArray[np.float64]) -> Json:
    """Of what violates, the share that was flagged. ``floor``: where nothing was found among what was not flagged, its
    exact 95 % upper bound (on the effective n) counts as missed: a recall of 1 that nobody has looked for is none."""
    told = _told(hajek(flagged[y], pi[y])) if y.any() else _nothing()
    missed, passed = y & ~flagged, ~flagged
    floor = told["low"]
    if passed.any() and not missed.any():
        weights = 1 / pi[passed]
        effective = float(weights.sum() ** 2 / (weights**2).sum())
        unseen = float(weights.sum()) * upper_bound(0, effective)
        found = float((1 / pi[y & flagged]).sum())
        floor = found / (found + unseen)
    return told | {"floor": floor, "empty": ["not flagged"] if passed.any() and not missed.any() else []}


def _told(estimate: Estimate) -> Json:
    enough = estimate.n > FEW
    figure = Figure(
        estimate.value if enough else None,
        estimate.low,
        estimate.high,
        estimate.n,
        estimate.positives,
        f"hajek, {estimate.method}",
        ENOUGH if enough else INSUFFICIENT,
    )
    return figure.as_dict() | {"effective_n": estimate.effective_n}


def _nothing() -> Json:
    return Figure(None, 0.0, 1.0, 0, 0, "hajek", INSUFFICIENT).as_dict() | {"effective_n": 0.0}
