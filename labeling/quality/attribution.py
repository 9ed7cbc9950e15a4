"""With what does a pattern move: the person, the content, the language, the tool, everybody, or only a machine?

The mixed model (``labeling.quality.mixed``) looks at the decisions of the pattern's own kind of error, less those that
other patterns explain, with a random intercept for each person, cluster, language, team, shift, tool and actor (human,
or which model or agent), and one for the cell itself where it joins a cluster and a cohort. Each dimension's *pull* is
what it adds to the log-odds of an average decision of the cell, less what it adds to one outside. A verdict names the
dimension whose pull is the largest with at least ``Bar.sure`` of the posterior's draws, and at least ``Bar.pull``; the
others' may be what they are.

A dimension is named only if the model without it makes the data five times less likely at least: where two always
go together (each language has one team), either does without the other, and the verdict is "cannot tell".
Variance shares are the same model's, over all decisions looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from labeling.quality.judged import AGENT, HUMAN, I64, MODEL, Column, Flags, Judged
from labeling.quality.mixed import F64, Counts, Mixed, fit
from labeling.quality.patterns import ANY, Found

CELL, CONTENT, ACTOR = "cell", "content", "actor"
_LEVELS = 150  # a dimension's largest levels have an effect of their own; the rest share one
_DRAWS = 4000


class Culprit(StrEnum):
    """With what an error moves."""

    PERSON = "person"
    CONTENT = "content"
    LANGUAGE = "language"
    TEAM = "team"
    SHIFT = "shift"
    TOOL = "tool"
    MODEL = "model"
    AGENT = "agent"
    EVERYONE = "everyone"
    UNKNOWN = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Bar:
    """When a verdict is given: the dimension leads in ``sure`` of the draws, and pulls by ``pull`` log-odds at least
    (0.405 = odds 1.5 times as high). A whole rule is everybody's where no dimension holds more than ``alike`` of the
    variance. Without the dimension named the data must be less likely by ``evidence``, a log Bayes factor, at least."""

    sure: float = 0.90
    pull: float = math.log(1.5)
    alike: float = 0.10
    evidence: float = math.log(5)


@dataclass(frozen=True, slots=True)
class Part:
    """One dimension: its ``share`` of the variance on the latent scale with a 95 % interval, its ``pull`` on the cell
    in log-odds with one, and ``leads``: in what share of draws its pull is the largest. ``levels``: how many there
    are."""

    name: str
    levels: int
    share: float
    share_low: float
    share_high: float
    pull: float
    pull_low: float
    pull_high: float
    leads: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """``culprit`` and its ``level`` (a person, a cluster, a language, ...; "": everyone, or nobody can tell), why, and
    what the model said. ``n`` decisions were looked at, ``events`` of them errors of the pattern's kind. ``unseen``:
    dimensions of which these decisions hold one level or none, so that nothing is known of them."""

    culprit: Culprit
    level: str
    reason: str
    n: int
    events: int
    parts: tuple[Part, ...]
    unseen: tuple[str, ...]


def attribute(table: Judged, found: Found, others: Sequence[Found], bar: Bar | None = None) -> Attribution:
    """The verdict on ``found``; ``others``: the patterns beside it."""
    bar = bar or Bar()
    rows = _looked_at(table, found, others)
    inside = np.isin(rows, found.rows)
    events = _events(table, found, rows)
    dimensions, unseen = _dimensions(table, found, rows, inside)
    n, count = len(rows), int(events.sum())
    machine = _only_machine(table, rows)
    if machine:
        reason = f"{machine} alone decided here, so nobody stands beside it"
        return Attribution(Culprit.UNKNOWN, "", reason, n, count, (), unseen)
    if not dimensions:
        return Attribution(Culprit.UNKNOWN, "", "all these decisions are alike", n, count, (), unseen)
    names, codes, levels = zip(*dimensions, strict=True)
    sizes = tuple(len(level) for level in levels)
    counts = Counts.of(events, np.column_stack(codes), sizes)
    model = fit(counts)
    parts = _parts(names, sizes, model, np.column_stack(codes), inside, found.key.cohort)
    culprit, level, reason = _verdict(table, found, parts, dimensions, model, inside, bar)
    if culprit not in (Culprit.UNKNOWN, Culprit.EVERYONE):
        best = _best(parts)
        doubt = model.evidence - _evidence_without(counts, best, names)
        if doubt < bar.evidence:
            reason = f"without {names[best]} the rest explains it almost as well (Bayes factor {math.exp(doubt):.1f})"
            culprit, level = Culprit.UNKNOWN, ""
    return Attribution(culprit, level, reason, n, count, parts, unseen)


Dimension = tuple[str, I64, tuple[str, ...]]


def _looked_at(table: Judged, found: Found, others: Sequence[Found]) -> I64:
    """The decisions that the pattern's kind of error may befall, and no other pattern explains."""
    base = np.ones(len(table), dtype=np.bool_) if found.key.gold == ANY else table.gold.codes == found.key.gold
    for other in others:
        if other.key.cluster != ANY or other.key.cohort:  # a whole rule is no circumstance beside this one
            base[other.rows] = False
    base[found.rows] = True
    return np.flatnonzero(base)


def _events(table: Judged, found: Found, rows: I64) -> F64:
    wrong = table.wrong[rows]
    if found.key.given != ANY:
        wrong = wrong & (table.given.codes[rows] == found.key.given)
    return wrong.astype(np.float64)


def _dimensions(table: Judged, found: Found, rows: I64, inside: Flags) -> tuple[list[Dimension], tuple[str, ...]]:
    columns = {"person": table.cohorts["person"], CONTENT: table.cluster, "language": _languages(table)}
    columns |= {name: table.cohorts[name] for name in ("team", "shift", "tool")}
    columns[ACTOR] = table.actor
    told: list[Dimension] = []
    unseen: list[str] = []
    for name, column in columns.items():
        codes, kept = _largest(column.codes[rows])
        if len(kept) < 2:
            unseen.append(name)
            continue
        told.append((name, codes, tuple("" if code < 0 else column.names[code] for code in kept)))
    if told and found.key.cluster != ANY and found.key.cohort:
        told.append((CELL, np.where(inside, 0, -1).astype(np.int64), ("",)))
    return told, tuple(unseen)


def _languages(table: Judged) -> Column:
    """Languages as people read them, and, apart from these, as machines do: no guide misleads a machine."""
    column = table.cohorts["language"]
    machine = np.array([kind != HUMAN for kind in table.kinds])[table.actor.codes]
    codes = np.where(column.codes >= 0, column.codes + machine * len(column.names), -1)
    return Column(codes.astype(np.int64), column.names * 2)


def _largest(codes: I64) -> tuple[I64, list[int]]:
    """Codes anew from 0, the most frequent levels each by itself, the rest as one (-1 in the list)."""
    levels, counts = np.unique(codes[codes >= 0], return_counts=True)
    order = levels[np.lexsort((levels, -counts))]
    kept = sorted(order[:_LEVELS].tolist())
    anew = np.full(int(codes.max(initial=0)) + 2, len(kept), dtype=np.int64)
    anew[kept] = np.arange(len(kept))
    anew[-1] = -1  # what code -1 picks
    return anew[codes], [*kept, -1] if len(order) > _LEVELS else kept


def _only_machine(table: Judged, rows: I64) -> str:
    """The machine that decided all of this, "" where there is none: its own faults cannot be told from the policy's."""
    actors = np.unique(table.actor.codes[rows])
    alone = len(actors) == 1 and table.kinds[actors[0]] != HUMAN
    return table.actor.names[actors[0]] if alone else ""


def _machine(table: Judged, actor: str) -> tuple[Culprit, str]:
    kind = table.kinds[table.actor.names.index(actor)]
    return (Culprit.MODEL if kind == MODEL else Culprit.AGENT), actor.partition(":")[2]


def _weights(model: Mixed, codes: I64, inside: Flags) -> F64:
    """(D, q): what each level adds to a dimension's pull: its share of the cell less its share outside."""
    weights = np.zeros((codes.shape[1], len(model.effects)))
    for d in range(codes.shape[1]):
        start, width = model.starts[d], model.starts[d + 1] - model.starts[d]
        for rows, sign in ((inside, 1.0), (~inside, -1.0)):
            known = codes[rows, d]
            known = known[known >= 0]
            if rows.any():
                weights[d, start : start + width] += sign * np.bincount(known, minlength=width) / rows.sum()
    return weights


def _parts(
    names: Sequence[str], sizes: Sequence[int], model: Mixed, codes: I64, inside: Flags, cohort: str
) -> tuple[Part, ...]:
    shares, drawn_shares = model.shares()
    weights = _weights(model, codes, inside)
    own = {MODEL: ACTOR, AGENT: ACTOR}.get(cohort, cohort)
    if CELL in names and own in names:  # what cluster and cohort have beyond their own pulls belongs to the cohort
        weights[names.index(own)] += weights[names.index(CELL)]
        weights[names.index(CELL)] = 0.0
    pulls = weights @ model.effects
    drawn = np.random.default_rng(0).multivariate_normal(pulls, weights @ model.cov @ weights.T, _DRAWS, method="eigh")
    leads = np.bincount(drawn.argmax(axis=1), minlength=len(names)) / _DRAWS
    ends, share_ends = np.quantile(drawn, (0.025, 0.975), axis=0), np.quantile(drawn_shares, (0.025, 0.975), axis=0)
    return tuple(
        Part(name, sizes[d], *map(float, (shares[d], *share_ends[:, d], pulls[d], *ends[:, d], leads[d])))
        for d, name in enumerate(names)
    )


def _best(parts: Sequence[Part]) -> int:
    return max(range(len(parts)), key=lambda d: (parts[d].leads, parts[d].pull))


def _evidence_without(counts: Counts, dimension: int, names: Sequence[str]) -> float:
    """Of the model less a dimension, and less the cell, which could stand in for it; -inf where nothing is left."""
    kept = [d for d, name in enumerate(names) if d != dimension and name != CELL]
    if not kept:
        return -math.inf
    rest = replace(counts, levels=counts.levels[:, kept], sizes=tuple(counts.sizes[d] for d in kept))
    return fit(rest).evidence


def _verdict(
    table: Judged,
    found: Found,
    parts: Sequence[Part],
    dimensions: Sequence[Dimension],
    model: Mixed,
    inside: Flags,
    bar: Bar,
) -> tuple[Culprit, str, str]:
    best = _best(parts)
    part = parts[best]
    if found.key.cluster == ANY and not found.key.cohort:
        return _everyone(parts, bar)
    name = found.key.cohort if part.name == CELL else part.name
    if part.leads < bar.sure or part.pull < bar.pull:
        rival = sorted(parts, key=lambda one: -one.leads)[1].name if len(parts) > 1 else "nothing else"
        return Culprit.UNKNOWN, "", f"{name} leads in {part.leads:.0%} of draws only, beside {rival}"
    level = _level(table, found, dimensions[best], inside, model, best)
    reason = f"{name} leads in {part.leads:.0%} of draws"
    if part.name == ACTOR:
        if level == HUMAN:
            return Culprit.EVERYONE, "", f"{reason}: people err, machines do not"
        return (*_machine(table, level), reason)
    return Culprit(name), level, reason


def _everyone(parts: Sequence[Part], bar: Bar) -> tuple[Culprit, str, str]:
    """The error is all over the rule: everybody's, unless one dimension explains most of what varies."""
    worst = max(parts, key=lambda part: part.share)
    if worst.share > bar.alike:
        return Culprit.UNKNOWN, "", f"{worst.name} holds {worst.share:.0%} of the variance"
    return Culprit.EVERYONE, "", f"no circumstance holds more than {worst.share:.0%} of the variance"


def _level(table: Judged, found: Found, dimension: Dimension, inside: Flags, model: Mixed, place: int) -> str:
    """The level that pulls: the commonest of the cell, weighed by its effect."""
    name, codes, levels = dimension
    if name == CELL:
        return table.cohorts[found.key.cohort].names[found.key.level]
    known = codes[inside]
    counts = np.bincount(known[known >= 0], minlength=len(levels)).astype(np.float64)
    effects = model.effects[model.starts[place] : model.starts[place + 1]]
    return levels[int(np.argmax(counts * np.exp(effects)))]
