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
from labeling.golden.newest import newest_name
from labeling.golden.vectors import LakeVectors, unit
from labeling.insights.judged_answers import JudgedAnswers, judged_answers
from labeling.quality.attribution import Attribution, Culprit, Part, attribute
from labeling.quality.card_text import Card, Told, card
from labeling.quality.clusters import clusters
from labeling.quality.intervals import Figure, proportion, wilson
from labeling.quality.judged import COLUMNS, Judged, error_type
from labeling.quality.names import cluster_names
from labeling.quality.patterns import ANY, Found, Mined, Terms, identity, mine
from labeling.records import GoldenItem
from labeling.store.interfaces import Lake

JUDGED = "sample: decisions that were judged, no population claim"
EXEMPLARS = 5
EMBEDDINGS = "embeddings-"
PERSON = "person"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern. ``pattern_id``: a hash of gold, given, cluster, cohort and level. ``gold`` and ``given``: labels,
    "": any. ``cluster``: the external id of the item that the content is like, with the ``terms`` that set it apart.
    ``rate`` in the cell and ``other`` outside it. ``exemplars`` and ``items``: external ids of items where it went
    wrong."""

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
    policy_versions: tuple[str, ...]

    @property
    def is_personal(self) -> bool:
        """Whether it speaks of one person, in its cell or its verdict."""
        return self.cohort == PERSON or self.attribution.culprit is Culprit.PERSON

    def as_dict(self, origin: Mapping[str, object], *, whole: bool = False) -> dict[str, object]:
        """JSON-able; figures carry ``origin`` (licence, versions). Of one person there are intervals only. ``whole``:
        with all items and the terms of the content."""
        versions = {**origin, "policy_versions": list(self.policy_versions)}
        told: dict[str, object] = {
            "id": self.pattern_id,
            "gold": self.gold,
            "given": self.given,
            "error": str(self.error or ""),
            "cluster": self.cluster,
            "cohort": self.cohort,
            "level": self.level,
            "rate": self._figure(self.rate) | versions,
            "other": self._figure(self.other) | versions,
            "p": self.p,
            "q": self.q,
            "design_effect": self.deff,
            "verdict": str(self.attribution.culprit),
            "verdict_level": self.attribution.level,
            "reason": self.attribution.reason,
            "card": asdict(self.card),
            "exemplars": list(self.exemplars),
        }
        if not self.is_personal:
            told["lift"] = self.lift
        if whole:
            told |= {
                "parts": [self._part(part) for part in self.attribution.parts],
                "looked_at": self.attribution.n,
                "unseen": list(self.attribution.unseen),
                "terms": list(self.terms),
                "items": list(self.items),
            }
        return told

    def _part(self, part: Part) -> dict[str, object]:
        return {key: value for key, value in asdict(part).items() if not self.is_personal or key != "pull"}

    def _figure(self, figure: Figure) -> dict[str, object]:
        told = figure.as_dict()
        return {key: value for key, value in told.items() if not self.is_personal or key not in ("value", "events")}


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

    @property
    def origin(self) -> dict[str, object]:
        """What each figure carries."""
        return {"licence": self.licence, "golden_version": self.golden_version}

    def as_dict(self) -> dict[str, object]:
        """JSON-able, for a lead."""
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "patterns"}
        return counts | {"patterns": [pattern.as_dict(self.origin) for pattern in self.patterns]}

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
    wrong = table.item.codes[found.hits]
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
        items=tuple(table.item.names[code] for code in np.unique(wrong)),
        policy_versions=tuple(sorted({versions[row] for row in found.hits} - {""})),
    )


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
