"""Misapplication patterns of this service's own decisions: mined, attributed, and told as cards with exemplars.

The decisions are people's blind answers (``labeling.insights.judged_answers``) and, where the caller has them, judged
decisions of production, as the same plain records. No figure speaks for traffic. Content is never part of a pattern:
items go by their external id, and a cluster by the item nearest to its centre.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, tzinfo

import numpy as np

from labeling.blind_answers import Stores
from labeling.decision_records import ErrorType
from labeling.errors import NotFound, NothingToDo
from labeling.figures import Origin, link
from labeling.golden.newest import newest_name
from labeling.golden.vectors import LakeVectors, unit
from labeling.insights.judged_answers import JudgedAnswers, judged_answers
from labeling.quality.attribution import Attribution, Culprit, Part, attribute
from labeling.quality.card_text import Card, Told, card
from labeling.quality.clusters import clusters
from labeling.quality.intervals import Figure, proportion, wilson
from labeling.quality.judged import COLUMNS, I64, Judged, error_type
from labeling.quality.names import cluster_names
from labeling.quality.patterns import ANY, Found, Mined, Terms, identity, mine
from labeling.records import GoldenItem
from labeling.store.interfaces import Lake

JUDGED = "sample: decisions that were judged, no population claim"
EXEMPLARS = 5
WHERE = "/v1/patterns"
THERE, ELSEWHERE = "there", "elsewhere"  # in the cell, outside it
EMBEDDINGS = "embeddings-"
PERSON = "person"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern. ``pattern_id``: a hash of gold, given, cluster, cohort and level. ``gold`` and ``given``: labels,
    "": any. ``cluster``: the external id of the item that the content is like, with the ``terms`` that set it apart.
    ``rate`` in the cell and ``other`` outside it. ``exemplars`` and ``items``: external ids of items where it went
    wrong, ``other_items``: of those where it did outside the cell."""

    pattern_id: str
    gold: str
    given: str
    error: ErrorType | None
    cluster: str
    terms: tuple[str, ...]
    cohort: str
    level: str
    rate: Figure
    other: Figure
    lift: float | None
    p: float
    q: float
    deff: float
    attribution: Attribution
    card: Card
    exemplars: tuple[str, ...]
    items: tuple[str, ...]
    other_items: tuple[str, ...]
    policy_versions: tuple[str, ...]

    @property
    def is_personal(self) -> bool:
        """Whether it speaks of one person, in its cell or its verdict."""
        return self.cohort == PERSON or self.attribution.culprit is Culprit.PERSON

    @property
    def link(self) -> str:
        """Where the items are named where it went wrong."""
        return f"{WHERE}/{self.pattern_id}/items"

    def origin(self, licence: str, golden_version: str) -> Origin:
        """What its figures rest on."""
        return Origin(licence, golden_version, ", ".join(self.policy_versions), self.link)

    def as_dict(self, licence: str, golden_version: str, *, whole: bool = False) -> dict[str, object]:
        """JSON-able. Of one person there are intervals only: each ``value`` is None, and so is the lift. ``whole``:
        with what the model says of each circumstance, and the terms of the content."""
        there = self.origin(licence, golden_version)
        elsewhere = replace(there, items=link(self.link, part=ELSEWHERE))
        told: dict[str, object] = {
            "id": self.pattern_id,
            "gold": self.gold,
            "given": self.given,
            "error": str(self.error or ""),
            "cluster": self.cluster,
            "cohort": self.cohort,
            "level": self.level,
            "lift": None if self.is_personal else self.lift,
            "rate": there.of(self._figure(self.rate)),
            "other": elsewhere.of(self._figure(self.other)),
            "p": self.p,
            "q": self.q,
            "design_effect": self.deff,
            "verdict": str(self.attribution.culprit),
            "verdict_level": self.attribution.level,
            "reason": self.attribution.reason,
            "card": asdict(self.card),
            "exemplars": list(self.exemplars),
        }
        if whole:
            told |= {
                "parts": [there.within(self._part(part)) for part in self.attribution.parts],
                "looked_at": self.attribution.n,
                "unseen": list(self.attribution.unseen),
                "terms": list(self.terms),
            }
        return told

    def _part(self, part: Part) -> dict[str, object]:
        n, pull = self.attribution.n, None if self.is_personal else part.pull
        return {
            "name": part.name,
            "levels": part.levels,
            "share": {"value": part.share, "low": part.share_low, "high": part.share_high, "n": n},
            "pull": {"value": pull, "low": part.pull_low, "high": part.pull_high, "n": n},
            "leads": part.leads,
        }

    def _figure(self, figure: Figure) -> dict[str, object]:
        told = figure.as_dict()
        if self.is_personal:
            told = {key: value for key, value in told.items() if key != "events"} | {"value": None}
        return told


@dataclass(frozen=True, slots=True)
class Patterns:
    """``patterns``, the surest first, from ``decisions`` of which ``errors`` were wrong. ``tests`` cells were tested at
    the false-discovery rate ``rate``. ``withheld`` and ``unjudged``: answers left out. ``unclustered``: decisions whose
    item has no embedding."""

    patterns: tuple[Pattern, ...]
    decisions: int
    errors: int
    tests: int
    rate: float
    withheld: int
    unjudged: int
    unclustered: int
    golden_version: str
    licence: str = JUDGED

    def as_dict(self) -> dict[str, object]:
        """JSON-able, for a lead."""
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "patterns"}
        return counts | {"patterns": [self.told(pattern) for pattern in self.patterns]}

    def told(self, pattern: Pattern, *, whole: bool = False) -> dict[str, object]:
        """One of them, JSON-able, for a lead."""
        return pattern.as_dict(self.licence, self.golden_version, whole=whole)

    def impersonal(self) -> Patterns:
        """Without those that speak of one person: what may go further than a lead."""
        return replace(self, patterns=tuple(one for one in self.patterns if not one.is_personal))

    def one(self, pattern_id: str) -> Pattern:
        """Raises NotFound."""
        for pattern in self.patterns:
            if pattern.pattern_id == pattern_id:
                return pattern
        raise NotFound(f"no pattern has the id {pattern_id!r} now; goldfold patterns list names those that stand")


def patterns(
    stores: Stores,
    lake: Lake,
    *,
    zone: tzinfo = UTC,
    decisions: Sequence[Mapping[str, str]] = (),
    rule: Terms | None = None,
) -> Patterns:
    """What stands now. ``decisions``: judged decisions beside the blind answers, as records of the columns of
    ``labeling.quality.judged`` with ``item`` an external id, and ``policy_version``. Raises NothingToDo when nothing
    was judged yet."""
    rule = rule or Terms()
    answers = judged_answers(stores, lake, zone)
    records = sorted([*answers.records, *decisions], key=lambda record: sorted(record.items()))
    if not records:
        raise NothingToDo("no decision stands beside settled gold yet; goldfold sync brings answers and settles them")
    named, words = _clustered(answers, lake)
    columns = {name: [record.get(name, "") for record in records] for name in COLUMNS}
    columns["cluster"] = [record.get("cluster") or named.get(record["item"], "") for record in records]
    table = Judged.of(columns)
    mined = mine(table, rule)
    versions = [record.get("policy_version", "") for record in records]
    found = [_pattern(table, one, mined, versions, words) for one in mined.patterns]
    return Patterns(
        patterns=tuple(found),
        decisions=len(table),
        errors=int(table.wrong.sum()),
        tests=mined.tests,
        rate=rule.rate,
        withheld=answers.withheld,
        unjudged=answers.unjudged,
        unclustered=sum(not name for name in columns["cluster"]),
        golden_version=newest_name(stores.golden),
    )


def _clustered(answers: JudgedAnswers, lake: Lake) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The cluster of each item, by external id, and each cluster's terms."""
    rows: dict[str, GoldenItem] = {row.external_id: row for _, row in sorted(answers.gold.items())}
    groups = [group for group in sorted(lake.groups()) if group.startswith(EMBEDDINGS)]
    if not groups or not rows:
        return {}, {}
    group = max(groups, key=lake.count)
    vectors = LakeVectors(lake, group)(sorted(row.item_id for row in rows.values()))
    known = [name for name in sorted(rows) if rows[name].item_id in vectors]
    if not known:
        return {}, {}
    found = clusters(unit(np.stack([vectors[rows[name].item_id] for name in known])))
    names = [known[row] for row in found.medoids]
    words = cluster_names([rows[name].text for name in known], found.codes.tolist(), range(len(names)))
    clustered = {name: names[c] for name, c in zip(known, found.codes, strict=True)}
    return clustered, {name: words[c] for c, name in enumerate(names)}


def _pattern(
    table: Judged, found: Found, mined: Mined, versions: Sequence[str], words: Mapping[str, tuple[str, ...]]
) -> Pattern:
    key = found.key
    gold = table.gold.names[key.gold] if key.gold != ANY else ""
    given = table.given.names[key.given] if key.given != ANY else ""
    cluster = table.cluster.names[key.cluster] if key.cluster != ANY else ""
    level = table.cohorts[key.cohort].names[key.level] if key.cohort else ""
    why = attribute(table, found, [other for other in mined.patterns if other is not found])
    told = Told(
        gold=gold,
        given=given,
        error=error_type(gold, given) if gold and given else None,
        cluster=cluster,
        cohort=key.cohort,
        level=level,
        rate=_rate(found.events, found.n, found.deff),
        other=_rate(found.other_events, found.other_n, found.deff),
        lift=found.lift if math.isfinite(found.lift) else None,
        p=found.p,
        q=found.q,
        tests=mined.tests,
        attribution=why,
    )
    personal = PERSON in (key.cohort, str(why.culprit))
    return Pattern(
        pattern_id=identity(gold, given, cluster, key.cohort, level),
        gold=gold,
        given=given,
        error=told.error,
        cluster=cluster,
        terms=words.get(cluster, ()),
        cohort=key.cohort,
        level=level,
        rate=told.rate,
        other=told.other,
        lift=told.lift,
        p=found.p,
        q=found.q,
        deff=found.deff,
        attribution=why,
        card=card(told, points=not personal),
        exemplars=_exemplars(table, found),
        items=_names(table, found.hits),
        other_items=_names(table, found.other_hits),
        policy_versions=tuple(sorted({versions[row] for row in found.hits} - {""})),
    )


def _names(table: Judged, rows: I64) -> tuple[str, ...]:
    """The items of decisions, sorted."""
    return tuple(table.item.names[code] for code in np.unique(table.item.codes[rows]))


def _rate(events: int, n: int, deff: float) -> Figure:
    """k of n with an interval for as many independent decisions as they are worth."""
    figure = proportion(events, n)
    if deff <= 1 or not n:
        return figure
    low, high = wilson(events / deff, n / deff)
    return replace(figure, low=low, high=high, method="wilson, by design effect")


def _exemplars(table: Judged, found: Found) -> tuple[str, ...]:
    """Five items that went wrong, of five groups of near-duplicates: those that most went wrong on, then by id."""
    groups, items = table.group.codes[found.hits], table.item.codes[found.hits]
    counts: dict[int, int] = {}
    for group in groups.tolist():
        counts[group] = counts.get(group, 0) + 1
    first: dict[int, str] = {}
    for group, item in zip(groups.tolist(), items.tolist(), strict=True):
        name = table.item.names[item]
        first[group] = min(first.get(group, name), name)
    best = sorted(first, key=lambda group: (-counts[group], first[group]))[:EXEMPLARS]
    return tuple(first[group] for group in best)
